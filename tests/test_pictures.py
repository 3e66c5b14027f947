"""Tensors as pictures: ends of the range, rounding, sheets, files written whole."""

import numpy as np
import pytest
import torch
from PIL import Image

from pix2pix.pictures import GAP, save, sheet, to_picture


def test_the_range_ends_at_black_and_white_and_rounds_to_the_nearest():
    image = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0]).expand(3, 1, 5)
    assert np.asarray(to_picture(image))[0, :, 0].tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_channels_choose_the_mode(channels, mode):
    assert to_picture(torch.zeros(channels, 4, 6)).mode == mode
    assert to_picture(torch.zeros(channels, 4, 6)).size == (6, 4)


def test_channels_that_cannot_be_shown_are_refused():
    with pytest.raises(ValueError, match="image with 7 channels: only 1, 3 and 4 can be shown"):
        to_picture(torch.zeros(7, 4, 4))


def test_a_sheet_enlarges_small_pictures_and_keeps_their_places():
    black, white = torch.full((3, 64, 64), -1.0), torch.ones(3, 64, 64)
    page = np.asarray(sheet([[black, white], [white, black]]))
    assert page.shape == (2 * (128 + GAP) + GAP, 2 * (128 + GAP) + GAP, 3)
    centres = [[page[GAP + 64 + r * 132, GAP + 64 + c * 132, 0] for c in range(2)] for r in range(2)]
    assert centres == [[0, 255], [255, 0]]


def test_a_picture_that_cannot_be_written_leaves_the_former_one(tmp_path):
    path = tmp_path / "a.jpg"
    save(Image.new("RGB", (4, 4)), path)
    before = path.read_bytes()
    with pytest.raises(OSError, match="RGBA"):
        save(Image.new("RGBA", (4, 4)), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.jpg"]
