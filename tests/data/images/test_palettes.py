"""Label maps in files: classes as numbers, or colours."""

import numpy as np
import pytest
import torch
from PIL import Image

from pix2pix.data.images.class_colours import CMP_FACADES, voc_colour
from pix2pix.data.images.decode import open_picture, pil_to_tensor, read_picture
from pix2pix.data.images.palettes import Palette, to_displayable
from pix2pix.data.images.value_range import normalize
from tests.conftest import DATASETS, needs_datasets

NUMBERS = np.random.default_rng(0).integers(0, 5, (6, 8), np.uint8)


def paint(palette: Palette, numbers: np.ndarray) -> np.ndarray:
    return palette.pixels.numpy()[numbers]


def of(palette: Palette, picture) -> np.ndarray:
    return palette.decode_label_map(picture, "a.png").permute(1, 2, 0).numpy()


@pytest.mark.parametrize("choice", ["cmp_facades", 5, [[0, 0, 0], [9, 9, 9], [255, 0, 0], [0, 255, 0], [0, 0, 255]]])
def test_grey_files_hold_classes_and_colour_files_colours(choice):
    palette = Palette(choice)
    assert np.array_equal(of(palette, Image.fromarray(NUMBERS)), paint(palette, NUMBERS))
    assert np.array_equal(of(palette, NUMBERS[..., None].astype(np.uint16)), paint(palette, NUMBERS))
    assert np.array_equal(of(palette, Image.fromarray(paint(palette, NUMBERS))), paint(palette, NUMBERS))


def test_a_file_with_a_palette_is_read_by_its_colours_unless_ours_is_a_mere_number(tmp_path):
    indexed = Image.fromarray(NUMBERS, "P")
    indexed.putpalette([level for colour in list(CMP_FACADES.values())[::-1] for level in colour])
    indexed.save(tmp_path / "a.png")
    colours, numbers = Palette("cmp_facades"), Palette(5)
    assert np.array_equal(of(colours, open_picture(tmp_path / "a.png")), paint(colours, 11 - NUMBERS))
    assert np.array_equal(of(numbers, open_picture(tmp_path / "a.png")), paint(numbers, NUMBERS))


@needs_datasets
def test_the_label_maps_of_facades_are_drawn_in_the_colours_that_we_read_them_by():
    files = sorted((DATASETS / "facades" / "train").iterdir())[::40]
    maps = [pil_to_tensor(read_picture(file), "RGB") for file in files]
    labels = normalize(torch.cat([both[:, :, both.shape[2] // 2 :] for both in maps], dim=1))
    palette, other = Palette("facades"), Palette("cmp_facades")

    def distance(of: Palette) -> float:
        """The median pixel's distance from its colour, in levels of 8 bits."""
        return (labels - of.paint(of.classify(labels))).square().sum(dim=0).sqrt().median().item() * 127.5

    assert distance(palette) < 5 < distance(other)
    most = torch.bincount(palette.classify(labels).flatten()).argmax()
    assert palette.classes[most] == "facade"


def test_black_and_white_masks_are_two_classes_however_they_are_written():
    mask, palette = NUMBERS > 2, Palette(2)
    expected = mask[..., None].repeat(3, axis=2) * 255
    for array in (mask, mask * np.uint8(1), mask * np.uint8(255), mask * np.uint8(240) + np.uint8(9)):
        assert np.array_equal(of(palette, Image.fromarray(array)), expected)
    assert np.array_equal(of(palette, mask * np.uint16(65535)), expected)


def test_255_is_the_class_without_label_where_there_is_one():
    palette = Palette({"road": [90, 90, 90], "unlabelled": [0, 0, 0], "tree": [0, 128, 0]})
    assert of(palette, Image.fromarray(np.array([[0, 255, 2]], np.uint8))).tolist() == [
        [[90] * 3, [0] * 3, [0, 128, 0]]
    ]


def test_a_class_that_the_palette_does_not_have_is_refused_by_name():
    with pytest.raises(
        ValueError, match=r"a\.png: holds class 254, where data\.palette has 5 classes, 0 to 4, and 255 is"
    ):
        of(Palette(5), Image.fromarray(NUMBERS + np.uint8(251)))
    with pytest.raises(ValueError, match=r"a\.png: a label map of 7 channels"):
        of(Palette(5), np.zeros((4, 4, 7), np.uint8))


def test_classes_by_number_have_the_colours_of_pascal_voc():
    assert [voc_colour(index) for index in (0, 1, 2, 3, 15, 20)] == [
        *((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (192, 128, 128), (0, 64, 128))
    ]
    assert len({voc_colour(index) for index in range(256)}) == 256


@pytest.mark.parametrize("classes", [2, 3, 4, 21])
def test_any_number_of_classes_is_coded_and_painted_back(classes):
    """Also two and three, which look like Lab and RGB by their channels."""
    palette = Palette(classes)
    labels = torch.from_numpy(np.random.default_rng(1).integers(0, classes, (2, 6, 8)))
    coded = palette.one_hot(labels)
    picture = to_displayable(coded, palette, source=torch.zeros(2, 1, 6, 8))
    assert torch.equal(picture, palette.paint(labels))
    assert torch.equal(palette.classify(picture), labels)


@pytest.mark.parametrize("choice", ["ade", [[0, 0, 0], [0, 0, 0]], [[1, 2, 3]]])
def test_palettes_that_tell_nothing_apart_are_refused(choice):
    with pytest.raises(ValueError, match=r"unknown\. Choose|two or more classes, each with a colour of its own"):
        Palette(choice)
