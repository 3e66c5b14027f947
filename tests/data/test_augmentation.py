"""One draw for both images: rotation, scale, and the source's colours."""

import collections
import math

import numpy as np
import pytest
import torch

from pix2pix.data.augmentation import Augment, View, color_jitter, crop, rotate_scale, sample_view
from pix2pix.data.datamodule import TrainingPairs
from pix2pix.data.pair import Pair
from pix2pix.data.samplers import Draw
from pix2pix.data.training_loader import collate_list
from pix2pix.data.transforms import JitterAndMirror

SIZES = {"height": 24, "width": 32, "load_height": 30, "load_width": 40}


def disc(x: float, y: float) -> torch.Tensor:
    """A spot on black, (1, 1, 61, 61) in [-1, 1]."""
    rows, columns = torch.meshgrid(torch.arange(61.0), torch.arange(61.0), indexing="ij")
    return (2 * torch.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 18) - 1)[None, None]


def spot(image: torch.Tensor) -> tuple[float, float]:
    """Where its brightest place is: x, y."""
    weight = (image[0, 0] + 1).clamp(min=0) ** 2
    rows, columns = torch.meshgrid(*(torch.arange(float(side)) for side in weight.shape), indexing="ij")
    return float((weight * columns).sum() / weight.sum()), float((weight * rows).sum() / weight.sum())


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_a_turn_counterclockwise_about_the_centre_takes_the_right_to_the_top():
    view = View(0, 0, mirror=False, rotation=90)
    assert spot(rotate_scale(disc(50, 30), [view], (61, 61), is_label_map=False)) == pytest.approx((30, 10), abs=0.3)
    slight = rotate_scale(disc(50, 30), [view._replace(rotation=10)], (61, 61), is_label_map=False)
    angle = math.radians(10)
    assert spot(slight) == pytest.approx((30 + 20 * math.cos(angle), 30 - 20 * math.sin(angle)), abs=0.3)


def test_scale_enlarges_about_the_centre_and_the_mirror_comes_last():
    view = View(0, 0, mirror=False, scale=1.5)
    assert spot(rotate_scale(disc(42, 30), [view], (61, 61), is_label_map=False)) == pytest.approx((48, 30), abs=0.3)
    mirrored = view._replace(mirror=True)
    assert spot(rotate_scale(disc(42, 30), [mirrored], (61, 61), is_label_map=False)) == pytest.approx(
        (12, 30), abs=0.3
    )


@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize("mirror", [True, False])
def test_a_turn_by_nothing_is_the_plain_crop(labels, mirror):
    image, view = noise(2, 3, 30, 40), View(5, 3, mirror)
    found = rotate_scale(image, [view, view], (24, 32), is_label_map=labels)
    assert torch.allclose(found, crop(image, [view, view], (24, 32)), atol=1e-5)


@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("flips", [(False, False), (True, False), (False, True), (True, True)])
def test_flips_and_turns_are_the_same_when_the_pixels_are_sampled(labels, turns, flips):
    image = noise(1, 3, 30, 40)
    view = View(5, 3, mirror=flips[0], vertical_flip=flips[1], quarter_turns=turns)
    expected = image[:, :, 5:25, 3:23]
    expected = expected.flip(-1) if flips[0] else expected
    expected = torch.rot90(expected.flip(-2) if flips[1] else expected, turns, (-2, -1))
    assert torch.equal(crop(image, [view], (20, 20)), expected)
    assert torch.allclose(rotate_scale(image, [view], (20, 20), is_label_map=labels), expected, atol=1e-5)


def test_a_quarter_turn_takes_the_right_to_the_top():
    image = torch.tensor([[[1, 2], [3, 4]]], dtype=torch.uint16)
    assert crop([image], [View(0, 0, False, quarter_turns=1)], (2, 2)).tolist() == [[[[2, 4], [1, 3]]]]
    assert crop([image], [View(0, 0, False, vertical_flip=True)], (2, 2)).tolist() == [[[[3, 4], [1, 2]]]]


def test_all_eight_ways_to_lay_a_square_occur_equally_often_and_both_images_lie_alike():
    transform = JitterAndMirror(height=2, width=2, load_height=2, load_width=2, vertical_flip=True, quarter_turns=True)
    image = torch.tensor([[[0, 50], [100, 150]]] * 3, dtype=torch.uint8)
    pairs = [transform.transform_for_training(Pair(image, image, ""), np.random.default_rng(i)) for i in range(800)]
    assert all(torch.equal(pair.source, pair.target) for pair in pairs)
    counts = collections.Counter(tuple(pair.source[0].flatten().tolist()) for pair in pairs)
    assert len(counts) == 8
    assert min(counts.values()) > 60  # of 100, with a standard deviation below 10


def test_what_comes_from_beyond_the_borders_is_reflected():
    bright = torch.ones(1, 1, 40, 40)
    view = View(0, 0, mirror=False, rotation=45, scale=0.5)
    assert float(rotate_scale(bright, [view], (40, 40), is_label_map=False).min()) == pytest.approx(1, abs=1e-5)


def test_label_maps_turn_into_labels_only():
    transform = JitterAndMirror(**SIZES, augment={"rotation": 30}, label_map="target", target_palette="cmp_facades")
    classes = torch.from_numpy(np.random.default_rng(0).integers(0, 12, (30, 40)))
    pair = Pair(
        noise(3, 30, 40).add(1).mul(127).to(torch.uint8), transform.target.palette.pixels[classes].movedim(2, 0), ""
    )
    target = transform.transform_for_training(pair, np.random.default_rng(5)).target
    assert target.shape == (12, 24, 32)
    assert target.unique().tolist() == [-1, 1]
    assert (target == 1).sum(dim=0).unique().tolist() == [1]
    painted = JitterAndMirror(**SIZES, augment={"rotation": 30}, label_map="target")
    colours = painted.transform_for_training(pair, np.random.default_rng(5)).target
    assert torch.equal(transform.target.palette.paint(target.argmax(dim=0)), colours)


def test_both_images_turn_alike_and_only_the_source_changes_its_colours():
    image = noise(3, 30, 40).add(1).mul(127).to(torch.uint8)
    turn = JitterAndMirror(**SIZES, augment={"rotation": 20, "scale": 0.2})
    both = turn.transform_for_training(Pair(image, image, ""), np.random.default_rng(1))
    assert torch.equal(both.source, both.target)
    colours = JitterAndMirror(**SIZES, augment={"rotation": 20, "scale": 0.2, "brightness": 0.3, "hue": 0.1})
    recolour = colours.transform_for_training(Pair(image, image, ""), np.random.default_rng(1))
    assert torch.equal(recolour.target, both.target)
    assert not torch.allclose(recolour.source, both.source, atol=0.01)


def test_a_draw_that_is_switched_on_changes_no_other():
    def draw(**reach):
        return sample_view((30, 40), (24, 32), Augment(**reach), True, np.random.default_rng(3))

    everything = draw(rotation=5, scale=0.1, brightness=0.1, contrast=0.1, saturation=0.1, hue=0.1)
    assert draw() == View(everything.top, everything.left, everything.mirror)
    assert draw(hue=0.1) == draw()._replace(hue=everything.hue)
    assert 0 < abs(everything.rotation) < 5
    assert everything == draw(rotation=5, scale=0.1, brightness=0.1, contrast=0.1, saturation=0.1, hue=0.1)
    orders = {"vertical_flip": True, "quarter_turns": True}
    turned = sample_view((30, 40), (24, 32), Augment(), True, np.random.default_rng(3), **orders)
    assert turned._replace(vertical_flip=False, quarter_turns=0) == draw()


def test_the_draws_of_earlier_versions_are_those_of_this_one():
    random = np.random.default_rng(11)
    top, left, mirror = int(random.integers(7)), int(random.integers(9)), bool(random.integers(2))
    rotation, scale = random.uniform(-1, 1, 6).tolist()[:2]
    view = sample_view((30, 40), (24, 32), Augment(rotation=5, scale=0.5), True, np.random.default_rng(11))
    assert view == View(top, left, mirror, rotation * 5, 1 + scale * 0.5)


def test_draws_reach_as_far_as_they_may_to_both_sides():
    views = [
        sample_view((8, 8), (8, 8), Augment(rotation=5, scale=0.1), False, np.random.default_rng(i)) for i in range(300)
    ]
    turns, scales = [view.rotation for view in views], [view.scale for view in views]
    assert (min(turns), max(turns)) == pytest.approx((-5, 5), abs=0.2)
    assert (min(scales), max(scales)) == pytest.approx((0.9, 1.1), abs=0.005)


def test_a_batch_is_what_its_pairs_are_alone():
    reach = {"rotation": 8, "scale": 0.1, "brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "hue": 0.1}
    transform = JitterAndMirror(**SIZES, augment=reach)
    pairs = [
        Pair(*(noise(3, 30, 40, seed=s + i).add(1).mul(127).to(torch.uint8) for i in (0, 9)), "") for s in range(3)
    ]
    views = [transform.sample_view(pair, np.random.default_rng(i)) for i, pair in enumerate(pairs)]
    batch = Pair(torch.stack([p.source for p in pairs]), torch.stack([p.target for p in pairs]), "")
    alone = [transform.transform_for_training(pair, np.random.default_rng(i)) for i, pair in enumerate(pairs)]
    for loaded in (batch, Pair([p.source for p in pairs], [p.target for p in pairs], "")):
        found = transform.augment_batch(loaded, views)
        assert torch.allclose(found.source, torch.stack([pair.source for pair in alone]), atol=1e-6)
        assert torch.equal(found.target, torch.stack([pair.target for pair in alone]))


def test_the_draw_of_a_pair_follows_from_seed_epoch_and_number():
    transform = JitterAndMirror(**SIZES, augment={"rotation": 8, "hue": 0.2})
    image = noise(3, 30, 40).add(1).mul(127).to(torch.uint8)
    pairs = TrainingPairs([Pair(image, image, "a")] * 2, transform, seed=1)
    first, again, later = (
        transform.augment_batch(*collate_list([pairs[Draw(epoch, 1)]])).source for epoch in (3, 3, 4)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, later)


def test_colours_change_as_they_are_named():
    def change(colour, **how):
        image = torch.tensor(colour).reshape(1, 3, 1, 1).expand(1, 3, 2, 2) * 2 - 1
        return ((color_jitter(image, [View(0, 0, mirror=False, **how)]) + 1) / 2)[0, :, 0, 0].tolist()

    grey, red = [0.5, 0.5, 0.5], [1.0, 0.0, 0.0]
    assert change(grey, brightness=1.2) == pytest.approx([0.6] * 3)
    assert change(grey, brightness=3.0) == pytest.approx([1.0] * 3)
    assert change(red, contrast=0.5) == pytest.approx([0.5 + 0.1495, 0.1495, 0.1495], abs=1e-4)  # towards luma 0.299
    assert change(red, saturation=0.0) == pytest.approx([0.299] * 3, abs=1e-3)
    assert change(grey, hue=0.3) == pytest.approx(grey, abs=1e-3)  # grey has none
    r, g, b = change([0.7, 0.4, 0.4], hue=1 / 3)
    assert g > r  # from red to green
    assert g > b
    assert 0.299 * r + 0.587 * g + 0.114 * b == pytest.approx(0.299 * 0.7 + 0.701 * 0.4, abs=1e-3)  # luma stays
    assert change(red) == pytest.approx(red, abs=1e-3)
