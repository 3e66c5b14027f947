"""Tensors as pictures: ends of the range, rounding, sheets, files written whole."""

import numpy as np
import pytest
import torch
from PIL import Image

from pix2pix.data.images.decode import array_to_picture, read_pixels
from pix2pix.data.images.pictures import GAP, make_contact_sheet, save_picture, select_channels, to_picture
from pix2pix.data.images.value_range import denormalize


def test_the_range_ends_at_black_and_white_and_rounds_to_the_nearest():
    image = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0]).expand(3, 1, 5)
    assert np.asarray(to_picture(image))[0, :, 0].tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_channels_choose_the_mode(channels, mode):
    assert to_picture(torch.zeros(channels, 4, 6)).mode == mode
    assert to_picture(torch.zeros(channels, 4, 6)).size == (6, 4)


def test_channels_that_cannot_be_shown_are_refused():
    with pytest.raises(ValueError, match="image with 7 channels: only 1, 3 or 4 can be a picture"):
        to_picture(torch.zeros(7, 4, 4))


def test_of_several_inputs_the_one_in_colour_is_shown():
    mask, photo, more = torch.zeros(1, 4, 4), torch.ones(3, 4, 4), torch.zeros(5, 4, 4)
    joined = torch.cat([mask, photo, more])
    assert torch.equal(select_channels(joined, (1, 3, 5)), photo)
    assert torch.equal(select_channels(torch.cat([mask, more]), (1, 5)), mask)
    assert torch.equal(select_channels(joined), joined[:3])
    assert torch.equal(select_channels(torch.cat([mask, mask])), mask)


def test_a_sheet_enlarges_small_pictures_and_keeps_their_places():
    black, white = torch.full((3, 64, 64), -1.0), torch.ones(3, 64, 64)
    page = np.asarray(make_contact_sheet([[black, white], [white, black]]))
    assert page.shape == (2 * (128 + GAP) + GAP, 2 * (128 + GAP) + GAP, 3)
    centres = [[page[GAP + 64 + r * 132, GAP + 64 + c * 132, 0] for c in range(2)] for r in range(2)]
    assert centres == [[0, 255], [255, 0]]


def test_a_picture_that_cannot_be_written_leaves_the_former_one(tmp_path):
    path = tmp_path / "a.jpg"
    save_picture(Image.new("RGB", (4, 4)), path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"mode RGBA cannot be written as \.jpg\. Choose png, tif or npy"):
        save_picture(Image.new("RGBA", (4, 4)), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.jpg"]


@pytest.mark.parametrize("suffix", ["png", "tif", "npy"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_deep_pixels_are_written_as_they_are(tmp_path, suffix, channels):
    image = torch.linspace(-1, 1, channels * 60).reshape(channels, 6, 10)
    pixels = denormalize(image, 16)
    save_picture(array_to_picture(pixels), tmp_path / f"a.{suffix}")
    assert np.array_equal(read_pixels(tmp_path / f"a.{suffix}", channels, 16).permute(1, 2, 0).numpy(), pixels)


@pytest.mark.parametrize(
    ("depth", "channels", "suffix"),
    [("float", 1, "tif"), ("float", 5, "tif"), (32, 1, "tif"), (8, 9, "tif"), (32, 3, "npy")],
)
def test_what_is_written_is_read_again(tmp_path, depth, channels, suffix):
    image = torch.linspace(-1, 1, channels * 60).reshape(channels, 6, 10)
    pixels = denormalize(image, depth, (-500, 700) if depth != 8 else None)
    save_picture(array_to_picture(pixels), tmp_path / f"a.{suffix}")
    assert np.array_equal(read_pixels(tmp_path / f"a.{suffix}", channels, depth).permute(1, 2, 0).numpy(), pixels)


def test_a_format_that_would_lose_something_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"mode I;16 cannot be written as \.jpg"):
        save_picture(array_to_picture(denormalize(torch.zeros(1, 4, 4), 16)), tmp_path / "a.jpg")
    with pytest.raises(ValueError, match=r"mode F cannot be written as \.png"):
        save_picture(array_to_picture(denormalize(torch.zeros(1, 4, 4), "float")), tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"mode I cannot be written as \.png"):
        save_picture(array_to_picture(denormalize(torch.zeros(1, 4, 4), 32, (-9, 9))), tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"pixels of floats in 5 channels cannot be written as \.png"):
        save_picture(array_to_picture(denormalize(torch.zeros(5, 4, 4), "float")), tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_label_maps_keep_their_palette_but_in_jpeg(tmp_path):
    labels = Image.new("P", (8, 8), 1)
    labels.putpalette([0, 0, 0, 255, 0, 0])
    for suffix in ("png", "jpg"):
        save_picture(labels, tmp_path / f"a.{suffix}")
    with Image.open(tmp_path / "a.png") as png, Image.open(tmp_path / "a.jpg") as jpg:
        assert (png.mode, png.getpixel((0, 0)), jpg.mode) == ("P", 1, "RGB")


def test_a_long_title_of_a_sheet_ends_within_its_column():
    image = torch.zeros(3, 128, 128)
    for title in ("generator=encoder_decoder, objective=l1_cgan, seed=1", "input"):
        one, two = (make_contact_sheet([[image, image]], [title, other]) for other in ("", title))
        right = two.width // 2
        box = (right, 0, two.width, 20)
        assert one.crop(box).getcolors() == [(right * 20, (255, 255, 255))]  # nothing of it is in the next column
        assert one.crop((0, 0, right, 20)).getcolors() != [(right * 20, (255, 255, 255))]
