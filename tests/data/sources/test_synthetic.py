"""The built-in data set: facades drawn by code."""

import numpy as np
import pytest

from pix2pix.data.images.class_colours import CMP_FACADES
from pix2pix.data.sources.synthetic import PALETTE, draw_facade


def mask(labels: np.ndarray, name: str) -> np.ndarray:
    return (labels == CMP_FACADES[name]).all(axis=2)


def present(labels: np.ndarray) -> set[str]:
    return {name for name in CMP_FACADES if mask(labels, name).any()}


def test_the_palette_is_the_twelve_cmp_classes():
    assert PALETTE is CMP_FACADES
    assert len(set(PALETTE.values())) == 12
    assert list(PALETTE)[:3] == ["background", "facade", "window"]
    assert PALETTE["shop"] == (170, 0, 0)


def test_equal_arguments_give_equal_pixels():
    for first, second in zip(*(draw_facade(5, seed=3, height=64, width=64) for _ in range(2)), strict=True):
        np.testing.assert_array_equal(first, second)


def test_numpys_global_random_state_is_neither_read_nor_moved():
    np.random.seed(0)
    before, (photo, _) = np.random.get_state()[1].copy(), draw_facade(0, seed=0, height=32, width=32)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    np.random.seed(1)
    np.testing.assert_array_equal(draw_facade(0, seed=0, height=32, width=32)[0], photo)


@pytest.mark.parametrize("other", [{"index": 1, "seed": 0}, {"index": 0, "seed": 1}])
def test_another_index_or_seed_is_another_building(other: dict[str, int]):
    photo, labels = draw_facade(0, seed=0, height=64, width=64)
    other_photo, other_labels = draw_facade(**other, height=64, width=64)
    assert (labels != other_labels).any(axis=2).mean() > 0.1
    assert np.abs(photo.astype(int) - other_photo).mean() > 10


@pytest.mark.parametrize(("height", "width"), [(64, 64), (256, 512), (33, 47), (128, 40), (1, 1)])
def test_any_size_can_be_drawn(height: int, width: int):
    for picture in draw_facade(2, seed=0, height=height, width=width):
        assert picture.shape == (height, width, 3)
        assert picture.dtype == np.uint8


@pytest.mark.parametrize("size", [64, 100, 256])
def test_label_maps_have_palette_colours_only(size: int):
    for index in range(4):
        _, labels = draw_facade(index, seed=0, height=size, width=size)
        assert {tuple(colour) for colour in np.unique(labels.reshape(-1, 3), axis=0)} <= set(CMP_FACADES.values())


def test_all_twelve_classes_appear_in_sixty_facades():
    counts = dict.fromkeys(CMP_FACADES, 0)
    for index in range(60):
        for name in present(draw_facade(index, seed=0, height=128, width=128)[1]):
            counts[name] += 1
    assert min(counts.values()) >= 6, counts


def test_every_facade_has_walls_windows_a_door_and_an_outside():
    for index in range(12):
        labels = draw_facade(index, seed=7, height=64, width=64)[1]
        assert present(labels) >= {"background", "facade", "window", "door", "molding"}


def test_the_same_building_stands_at_every_size():
    for index in range(6):
        large = draw_facade(index, seed=0, height=256, width=256)[1][2::4, 2::4]
        small = draw_facade(index, seed=0, height=64, width=64)[1]
        assert (large == small).all(axis=2).mean() > 0.85


def test_the_same_building_has_the_same_colours_at_every_size():
    for index in range(6):
        large, small = (draw_facade(index, seed=0, height=size, width=size)[0] for size in (256, 64))
        np.testing.assert_allclose(large.mean(axis=(0, 1)), small.mean(axis=(0, 1)), atol=12)


@pytest.mark.parametrize(("height", "width"), [(0, 64), (64, 0), (-8, 64)])
def test_a_bad_size_is_refused_with_value_rule_and_remedy(height: int, width: int):
    with pytest.raises(ValueError, match=rf"size {height}x{width}: .* must be at least 1\. Set data\.size"):
        draw_facade(0, seed=0, height=height, width=width)


@pytest.mark.parametrize(("index", "seed"), [(-1, 0), (0, -1)])
def test_a_negative_index_or_seed_is_refused(index: int, seed: int):
    with pytest.raises(ValueError, match=rf"index {index}, seed {seed}: neither may be negative"):
        draw_facade(index, seed=seed, height=64, width=64)


def test_windows_and_walls_differ_in_the_photo():
    distances = []
    for index in range(20):
        photo, labels = draw_facade(index, seed=0, height=128, width=128)
        wall, window = (photo[mask(labels, name)].mean(axis=0) for name in ("facade", "window"))
        distances.append(np.abs(wall - window).mean())
    assert min(distances) > 4
    assert np.median(distances) > 25


def test_walls_have_texture():
    for index in range(12):
        photo, labels = draw_facade(index, seed=0, height=128, width=128)
        wall = mask(labels, "facade")
        neighbours = wall[:, 1:] & wall[:, :-1]
        steps = np.abs(np.diff(photo.astype(int), axis=1)).mean(axis=2)
        assert steps[neighbours].mean() > 1.5


def test_labels_do_not_tell_the_colour_of_the_wall():
    walls = []
    for index in range(20):
        photo, labels = draw_facade(index, seed=0, height=64, width=64)
        walls.append(photo[mask(labels, "facade")].mean(axis=0))
    assert np.std(walls, axis=0).min() > 12
