"""255 in label maps is no class: it is read so, coded as no channel, and counted by no loss and no metric."""

import numpy as np
import pytest
import torch
from PIL import Image

from pix2pix.data.images.palettes import NO_CLASS, Palette, to_displayable
from pix2pix.data.images.value_range import normalize
from pix2pix.evaluation.confusion import ConfusionMatrix
from pix2pix.evaluation.metrics import pixel_accuracy
from pix2pix.models.losses import CrossEntropy
from pix2pix.models.objective import Objective
from pix2pix.models.terms import cross_entropy, dice_loss

NUMBERS = np.array([[0, 1, 2, 3], [255, 255, 1, 0]], np.uint8)
CLASSES = [[0, 1, 2, 3], [-1, -1, 1, 0]]
NAMED = {"sky": [224, 224, 192], "road": [90, 90, 90], "tree": [0, 128, 0], "car": [255, 0, 255]}


def read(palette: Palette, picture) -> torch.Tensor:
    return normalize(palette.decode_label_map(picture, "a.png"))


def indexed(numbers: np.ndarray) -> Image.Image:
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


@pytest.mark.parametrize("make", [indexed, lambda numbers: Image.fromarray(np.dstack([numbers] * 3))])
def test_classes_by_number_may_be_indices_or_grey_in_three_channels(make):
    palette = Palette(4)
    assert palette.true_classes(read(palette, make(NUMBERS))).tolist() == CLASSES


def test_index_255_is_no_class_unless_the_palette_has_its_colour():
    palette = Palette({"a": [0, 255, 7], "b": [1, 254, 7], "c": [2, 253, 7], "d": [3, 252, 7]})
    assert palette.true_classes(read(palette, indexed(NUMBERS))).tolist() == CLASSES
    known = Palette({"a": [0, 255, 7], "b": [1, 254, 7], "c": [2, 253, 7], "d": [3, 252, 7], "e": [255, 0, 7]})
    assert known.true_classes(read(known, indexed(NUMBERS)))[1, 0] == 4


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


def test_floats_that_are_no_classes_are_refused():
    with pytest.raises(ValueError, match=r"a\.png: a label map of floats that are not whole numbers"):
        Palette(4).decode_label_map(NUMBERS / 2, "a.png")


def coded_pair(palette: Palette) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """An output at random, a target of which a third has no class, and where it has one."""
    classes = torch.from_numpy(np.random.default_rng(0).integers(0, 4, (2, 6, 8)))
    unlabelled = torch.from_numpy(np.random.default_rng(1).random((2, 6, 8)) < 0.3)
    fake = torch.rand(2, 4, 6, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return fake, palette.one_hot(classes.masked_fill(unlabelled, NO_CLASS)), ~unlabelled


def test_losses_are_those_of_the_labelled_pixels_alone():
    fake, target, labelled = coded_pair(Palette(4))
    logits, classes = 5 * fake.movedim(1, -1)[labelled], target.argmax(dim=1)[labelled]
    assert torch.allclose(cross_entropy(fake, target), torch.nn.functional.cross_entropy(logits, classes))
    changed = torch.where(labelled[:, None], fake, -fake)
    assert torch.equal(dice_loss(fake, target), dice_loss(changed, target))
    everywhere = torch.full_like(target, -1)
    assert float(cross_entropy(fake, everywhere)) == float(dice_loss(fake, everywhere)) == 0


def test_no_term_of_an_objective_has_a_gradient_where_there_is_no_class():
    fake, target, labelled = coded_pair(Palette(4))
    fake.requires_grad_()
    objective = Objective(CrossEntropy(), l2_weight=1, cross_entropy_weight=1, dice_weight=1)
    discriminator = torch.nn.Conv2d(5, 1, 1)
    terms = objective.generator_terms(discriminator, target[:, :1], target, fake)
    (gradient,) = torch.autograd.grad(torch.stack(list(terms.values())).sum(), fake)
    moves = gradient.abs().amax(dim=1) > 0
    assert torch.equal(moves, labelled)


def test_metrics_count_the_labelled_pixels_alone():
    palette, confusion = Palette(4), ConfusionMatrix(4)
    true, predicted = torch.tensor([CLASSES]), torch.tensor([[[0, 1, 2, 0], [3, 3, 1, 0]]])
    confusion.update(predicted, true)
    assert confusion.compute()["pixel_accuracy"] == 5 / 6
    assert int(confusion.counts.sum()) == 6
    assert float(pixel_accuracy(palette.paint(predicted), palette.paint(true), palette)) == pytest.approx(5 / 6)
