"""255 in label maps is no class: it is read so, coded as no channel, and counted by no loss and no metric."""

import numpy as np
import pytest
import torch
from PIL import Image

from pix2pix.data.images.palettes import NO_CLASS, Palette, to_displayable
from pix2pix.data.images.resize import resize
from pix2pix.data.images.value_range import normalize
from pix2pix.evaluation.confusion import ConfusionMatrix
from pix2pix.evaluation.metrics import pixel_accuracy
from pix2pix.models.losses import CrossEntropy, Wasserstein
from pix2pix.models.objective import Objective
from pix2pix.models.regularised_objective import RegularisedObjective
from pix2pix.models.terms import cross_entropy, dice_loss, label_mask

NUMBERS = np.array([[0, 1, 2, 3], [255, 255, 1, 0]], np.uint8)
CLASSES = [[0, 1, 2, 3], [-1, -1, 1, 0]]
NAMED = {"sky": [224, 224, 192], "road": [90, 90, 90], "tree": [0, 128, 0], "car": [255, 0, 255]}


def read(palette: Palette, picture) -> torch.Tensor:
    return normalize(palette.decode_label_map(picture, "a.png"))


def make_indexed_picture(numbers: np.ndarray) -> Image.Image:
    picture = Image.fromarray(numbers, "P")
    picture.putpalette([level for index in range(256) for level in (index, 255 - index, 7)])
    return picture


@pytest.mark.parametrize("choice", [4, 255, NAMED, list(NAMED.values()), "cmp_facades"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int32, np.float32])
def test_255_is_no_class_with_any_palette_and_is_coded_as_no_channel(choice, kind):
    palette = Palette(choice)
    picture = Image.fromarray(NUMBERS) if kind == np.uint8 else NUMBERS.astype(kind)[..., None]
    image = read(palette, picture)
    assert palette.true_classes(image).tolist() == CLASSES
    coded = palette.encode(image[None])
    assert (coded.amax(dim=1)[0] > 0).tolist() == [[True] * 4, [False, False, True, True]]
    assert torch.equal(to_displayable(coded, palette), palette.paint(torch.tensor([CLASSES])))
    assert palette.true_classes(to_displayable(coded, palette))[0].tolist() == CLASSES


@pytest.mark.parametrize("make", [make_indexed_picture, lambda numbers: Image.fromarray(np.dstack([numbers] * 3))])
def test_classes_by_number_may_be_indices_or_grey_in_three_channels(make):
    palette = Palette(4)
    assert palette.true_classes(read(palette, make(NUMBERS))).tolist() == CLASSES


def test_index_255_is_no_class_unless_the_palette_has_its_colour():
    palette = Palette({"a": [0, 255, 7], "b": [1, 254, 7], "c": [2, 253, 7], "d": [3, 252, 7]})
    assert palette.true_classes(read(palette, make_indexed_picture(NUMBERS))).tolist() == CLASSES
    known = Palette({"a": [0, 255, 7], "b": [1, 254, 7], "c": [2, 253, 7], "d": [3, 252, 7], "e": [255, 0, 7]})
    assert known.true_classes(read(known, make_indexed_picture(NUMBERS)))[1, 0] == 4


def test_with_256_classes_255_is_one_of_them():
    palette = Palette(256)
    assert palette.true_classes(read(palette, Image.fromarray(NUMBERS)))[1, 0] == 255


@pytest.mark.parametrize(
    ("numbers", "classes"),
    [([0, 1, 255], [0, 1, -1]), ([1, 1, 255], [1, 1, -1]), ([0, 0, 255], [0, 0, 1]), ([0, 254, 255], [0, 1, 1])],
)
def test_of_two_classes_255_beside_1_is_no_class(numbers, classes):
    palette = Palette(2)
    assert palette.true_classes(read(palette, Image.fromarray(np.array([numbers], np.uint8))))[0].tolist() == classes


def test_a_colour_of_no_class_by_chance_is_its_nearest_class():
    palette = Palette({"road": [90, 90, 90], "sky": [224, 224, 200]})
    picture = Image.new("RGB", (2, 1), palette.void)
    assert palette.true_classes(read(palette, picture)).tolist() == [[1, 1]]


@pytest.mark.parametrize("size", [(17, 17), (90, 90)])
def test_blended_pixels_around_those_of_no_class_have_none(size):
    """As in a map in colours that was resized smoothly; edges between two classes count."""
    palette = Palette(4)
    classes = torch.zeros(60, 60, dtype=torch.int64)
    classes[:, 45:] = 3
    classes[20:40, 10:25] = NO_CLASS
    pixels = ((palette.paint(classes) + 1) * 127.5).round().to(torch.uint8)
    image = normalize(resize(pixels, size))
    labelled, scale = palette.find_labelled(image)[0], size[0] / 60
    is_exact = (image[..., None] == torch.tensor(palette.colours).T[:, None, None]).all(dim=0).any(dim=-1)
    left = slice(0, int(35 * scale))  # without the edge between the classes 0 and 3
    assert torch.equal(labelled[:, left], is_exact[:, left])
    assert labelled[:, int(35 * scale) :].all()
    assert not is_exact[:, int(35 * scale) :].all()


def test_floats_that_are_no_classes_are_refused():
    with pytest.raises(ValueError, match=r"a\.png: a label map of floats that are not whole numbers"):
        Palette(4).decode_label_map(NUMBERS / 2, "a.png")


def make_pair(palette: Palette) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """An output at random, a target of which a third has no class, and where it has one."""
    classes = torch.from_numpy(np.random.default_rng(0).integers(0, 4, (2, 6, 8)))
    unlabelled = torch.from_numpy(np.random.default_rng(1).random((2, 6, 8)) < 0.3)
    fake = torch.rand(2, 4, 6, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return fake, palette.one_hot(classes.masked_fill(unlabelled, NO_CLASS)), ~unlabelled


def test_losses_are_those_of_the_labelled_pixels_alone():
    fake, target, labelled = make_pair(Palette(4))
    logits, classes = 5 * fake.movedim(1, -1)[labelled], target.argmax(dim=1)[labelled]
    assert torch.allclose(cross_entropy(fake, target), torch.nn.functional.cross_entropy(logits, classes))
    changed = torch.where(labelled[:, None], fake, -fake)
    assert torch.equal(dice_loss(fake, target), dice_loss(changed, target))
    everywhere = torch.full_like(target, -1)
    assert float(cross_entropy(fake, everywhere)) == float(dice_loss(fake, everywhere)) == 0


ADVERSARIAL = {"gan": CrossEntropy, "wgan": Wasserstein}
OBJECTIVES = {
    "all": {"l2_weight": 1, "cross_entropy_weight": 1, "dice_weight": 1},
    "l1": {},
    "gan": {"l1_weight": 0},
    "wgan": {"l1_weight": 0},
    "smooth_l1": {"l1_weight": 0, "smooth_l1_weight": 1},
}


def objective_of(kind: str) -> tuple[Objective, torch.nn.Module]:
    adversarial = ADVERSARIAL[kind]() if kind in ADVERSARIAL else None
    torch.manual_seed(0)
    return Objective(adversarial, **OBJECTIVES[kind]), torch.nn.Conv2d(5, 1, 3)


@pytest.mark.parametrize("kind", OBJECTIVES)
def test_no_term_of_an_objective_has_a_gradient_where_there_is_no_class(kind):
    fake, target, labelled = make_pair(Palette(4))
    objective, discriminator = objective_of(kind)
    objective.find_labelled = label_mask
    terms = objective.generator_terms(discriminator, target[:, :1], target, fake.requires_grad_())
    (gradient,) = torch.autograd.grad(torch.stack(list(terms.values())).sum(), fake)
    assert torch.equal(gradient.abs().amax(dim=1) > 0, labelled)


@pytest.mark.parametrize("kind", ADVERSARIAL)
def test_a_discriminator_cannot_see_what_was_drawn_where_there_is_no_class(kind):
    fake, target, labelled = make_pair(Palette(4))
    objective, discriminator = objective_of(kind)
    objective.find_labelled = label_mask
    seen = []
    for image in (fake, torch.where(labelled[:, None], fake, -fake)):
        torch.manual_seed(1)  # of the point between real and fake
        seen.append(objective.discriminator_terms(discriminator, target[:, :1], target, image))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("name", ["penalty", "r1"])
def test_penalties_are_of_the_gradients_at_the_labelled_pixels_alone(name):
    _, target, labelled = make_pair(Palette(4))
    objective = Objective(Wasserstein(), l1_weight=0)
    objective.find_labelled = label_mask
    regularised = RegularisedObjective(objective, r1_weight=1.0)
    discriminator = torch.nn.Conv2d(5, 1, 1)  # a weight at each pixel: the gradient is the same at all
    terms, _ = regularised.discriminator_terms(discriminator, target[:, :1], target, target)
    squares = labelled.sum(dim=(1, 2)) * discriminator.weight[0, 1:].square().sum()
    expected = (squares.sqrt() - 1).square().mean() * 10 if name == "penalty" else squares.mean() / 2
    assert torch.allclose(terms[name], expected)


def test_means_over_pixels_are_over_those_with_a_class_in_colours_too():
    palette = Palette(4)
    fake, target, labelled = make_pair(palette)
    colours = palette.paint(target.argmax(dim=1).masked_fill(~labelled, NO_CLASS))
    objective = Objective(None, l2_weight=1)
    for find, true in ((label_mask, target), (palette.find_labelled, colours)):
        objective.find_labelled = find
        output = fake[:, : true.shape[1]]
        difference = (output - true).movedim(1, -1)[labelled]
        terms = objective.generator_terms(None, true, true, output)
        assert torch.allclose(terms["l1"], difference.abs().mean())
        assert torch.allclose(terms["l2"], difference.square().mean())


@pytest.mark.parametrize("kind", OBJECTIVES)
def test_where_all_pixels_have_a_class_the_losses_are_the_same_bits(kind):
    fake, target, _ = make_pair(Palette(4))
    target = Palette(4).one_hot(target.argmax(dim=1))
    objective, discriminator = objective_of(kind)
    found = []
    for find in (None, label_mask):
        objective.find_labelled = find
        output = fake.clone().requires_grad_()
        terms = objective.generator_terms(discriminator, target[:, :1], target, output)
        found.append([*terms.values(), *torch.autograd.grad(torch.stack(list(terms.values())).sum(), output)])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_metrics_count_the_labelled_pixels_alone():
    palette, confusion = Palette(4), ConfusionMatrix(4)
    true, predicted = torch.tensor([CLASSES]), torch.tensor([[[0, 1, 2, 0], [3, 3, 1, 0]]])
    confusion.update(predicted, true)
    assert confusion.compute()["pixel_accuracy"] == 5 / 6
    assert int(confusion.counts.sum()) == 6
    assert float(pixel_accuracy(palette.paint(predicted), palette.paint(true), palette)) == pytest.approx(5 / 6)
