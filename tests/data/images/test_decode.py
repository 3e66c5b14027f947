"""Files of every depth and number of channels: read as they are, or refused by name."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from pix2pix.core import extras
from pix2pix.data.images.decode import read_picture, read_pixels, read_size

RANDOM = np.random.default_rng(0)
BYTES = RANDOM.integers(0, 256, (6, 8, 3), np.uint8)
DEEP = RANDOM.integers(0, 65536, (6, 8, 3), np.uint16)
GREY = DEEP[..., 0]


def write(path, array, **options):
    """A file as other programs write it."""
    if path.suffix == ".tif":
        tifffile.imwrite(path, array, **options)
    elif path.suffix == ".npy":
        np.save(path, array)
    elif array.dtype == np.uint16:
        cv2.imwrite(str(path), array[..., [2, 1, 0, 3][: array.shape[2]]] if array.ndim == 3 else array)
    else:
        Image.fromarray(array).save(path, **options)
    return path


@pytest.mark.parametrize(
    ("name", "array", "options", "depth"),
    [
        ("grey.png", BYTES[..., 0], {}, 8),
        ("rgb.png", BYTES, {}, 8),
        ("alpha.png", np.dstack([BYTES, BYTES[..., 0]]), {}, 8),
        ("deep_grey.png", GREY, {}, 16),
        ("deep_rgb.png", DEEP, {}, 16),  # Pillow would cut it to 8 bits
        ("deep_alpha.png", np.dstack([DEEP, GREY]), {}, 16),
        ("deep_grey.tif", GREY, {}, 16),
        ("big_endian.tif", GREY.astype(">u2"), {"byteorder": ">"}, 16),
        ("deep_rgb.tif", DEEP, {}, 16),  # likewise
        ("signed.tif", GREY.view(np.int16), {}, 32),
        ("long.tif", GREY.astype(np.uint32) * 30_000, {}, 32),
        ("float.tif", GREY.astype(np.float32) / 3, {}, "float"),
        ("double.tif", GREY.astype(np.float64), {}, "float"),
        ("half.tif", (GREY / 1024).astype(np.float16), {}, "float"),
        ("float_rgb.tif", DEEP.astype(np.float32), {"photometric": "rgb"}, "float"),
        ("two.tif", BYTES[..., :2], {"photometric": "minisblack", "planarconfig": "contig"}, 8),  # Pillow sees one
        ("array.npy", RANDOM.normal(size=(6, 8, 7)).astype(np.float32), {}, "float"),
        ("grey.npy", GREY, {}, 16),
    ],
)
def test_no_bit_and_no_channel_is_lost(tmp_path, name, array, options, depth):
    file = write(tmp_path / name, array, **options)
    channels = array.shape[2] if array.ndim == 3 else 1
    found = read_pixels(file, channels, depth)
    assert found.shape == (channels, 6, 8)
    assert np.array_equal(found.permute(1, 2, 0).numpy(), array.reshape(6, 8, -1))
    assert read_size(file) == (6, 8)


@pytest.mark.parametrize("options", [{}, {"planarconfig": "separate"}, {"compression": "zlib"}])
def test_the_pages_of_a_tiff_are_its_channels(tmp_path, options):
    bands = RANDOM.integers(0, 65536, (5, 6, 8), np.uint16)
    file = write(tmp_path / "bands.tif", bands, photometric="minisblack", **options)
    assert np.array_equal(read_pixels(file, 5, 16).numpy(), bands)
    with pytest.raises(ValueError, match=r"bands\.tif: 5 channels, where 3 are expected.*data\.source_channels"):
        read_pixels(file, 3, 16)


def test_a_file_of_another_depth_is_refused_with_the_setting_that_reads_it(tmp_path):
    file = write(tmp_path / "deep.png", GREY)
    with pytest.raises(
        ValueError,
        match=r"deep\.png: pixels of 16 bits, where .* 8 bits.*, or train with data\.depth=16",
    ):
        read_pixels(file, 1)
    with pytest.raises(ValueError, match=r"plain\.png: pixels of 8 bits, where .* floats are expected\. Conv"):
        read_pixels(write(tmp_path / "plain.png", BYTES), 3, "float")


def test_what_is_transparent_becomes_white_unless_transparency_is_a_channel(tmp_path):
    drawing = Image.new("LA", (8, 6), (0, 0))  # black ink, nowhere
    drawing.putpixel((3, 2), (0, 255))
    drawing.save(tmp_path / "ink.png")
    ink = read_pixels(tmp_path / "ink.png", 3)
    assert (ink[:, 2, 3].tolist(), int((ink == 255).sum())) == ([0, 0, 0], 3 * 47)
    assert read_pixels(tmp_path / "ink.png", 4)[3].unique().tolist() == [0, 255]
    clear = Image.new("P", (8, 6), 0)
    clear.putpalette([0, 0, 0, 255, 0, 0])
    clear.save(tmp_path / "clear.gif", transparency=0)
    assert read_pixels(tmp_path / "clear.gif", 3).unique().tolist() == [255]


@pytest.mark.parametrize("mode", ["1", "P", "CMYK", "LAB", "YCbCr"])
def test_other_kinds_of_picture_come_as_rgb(tmp_path, mode):
    suffix = "tif" if mode in {"CMYK", "LAB", "YCbCr"} else "png"
    ramp = Image.linear_gradient("L")
    ramp.convert("RGB").convert(mode).save(tmp_path / f"a.{suffix}")
    found = read_pixels(tmp_path / f"a.{suffix}", 3).float()
    assert float((found - torch.from_numpy(np.array(ramp))).abs().mean()) < {"1": 100, "P": 20}.get(mode, 8)


def test_colour_becomes_grey_by_its_luma_at_every_depth(tmp_path):
    luma = (DEEP @ [0.299, 0.587, 0.114]).round()
    assert np.array_equal(read_pixels(write(tmp_path / "a.png", DEEP), 1, 16)[0].numpy(), luma)
    assert read_pixels(write(tmp_path / "b.png", GREY), 3, 16).shape == (3, 6, 8)


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_an_animation_is_refused_with_its_number_of_frames(tmp_path, suffix):
    frames = [Image.effect_noise((8, 6), spread).convert("RGB") for spread in (20, 50, 80)]
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match=rf"a\.{suffix}: .*an animation of 3 frames"):
        read_pixels(tmp_path / f"a.{suffix}", 3)


def test_a_still_gif_is_a_picture(tmp_path):
    Image.fromarray(BYTES[..., 0]).save(tmp_path / "a.gif")
    assert np.array_equal(read_pixels(tmp_path / "a.gif", 1)[0].numpy(), BYTES[..., 0])


@pytest.mark.parametrize(
    ("name", "array", "sentence"),
    [
        ("nan.npy", np.full((4, 4), np.nan), r"some pixels are infinite, beyond 3e38 or not a number"),
        ("large.npy", np.full((4, 4), 1e300), r"some pixels are infinite, beyond 3e38 or not a number"),
        ("complex.npy", np.ones((4, 4), complex), r"complex128 pixels cannot be read"),
        ("line.npy", np.ones(4), r"an array of shape \(4,\)"),
        ("huge.npy", np.full((4, 4), 2**40), r"int64 pixels cannot be read"),
    ],
)
def test_arrays_that_are_no_pictures_are_refused(tmp_path, name, array, sentence):
    with pytest.raises(ValueError, match=f"{name}.*{sentence}"):
        read_pixels(write(tmp_path / name, array), 1, "float")


def test_an_array_of_objects_executes_nothing(tmp_path):
    np.save(tmp_path / "evil.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"evil\.npy: cannot be read"):
        read_pixels(tmp_path / "evil.npy", 1)


def test_what_needs_the_extra_says_so(tmp_path, monkeypatch):
    file = write(tmp_path / "deep.tif", DEEP)

    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(extras.importlib, "import_module", missing)
    with pytest.raises(ValueError, match=r"deep\.tif: .*needs an extra: pip install 'pix2pix\[scientific\]'"):
        read_pixels(file, 3, 16)


def test_a_png_of_16_bits_and_damaged_is_named(tmp_path):
    file = write(tmp_path / "a.png", DEEP)
    file.write_bytes(file.read_bytes()[:60])
    with pytest.raises(ValueError, match=r"a\.png: cannot be read as a picture"):
        read_pixels(file, 3, 16)


def test_an_unusual_orientation_turns_the_size_too(tmp_path):
    image = Image.fromarray(BYTES)
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.jpg", exif=exif)
    assert read_size(tmp_path / "a.jpg") == (8, 6)
    assert read_pixels(tmp_path / "a.jpg", 3).shape == (3, 8, 6)


def turn_upright(array, orientation):
    """The array as a viewer shows it (EXIF 2.3, tag 274)."""
    array = array.swapaxes(0, 1) if orientation >= 5 else array
    down, right = orientation in {3, 4, 7, 8}, orientation in {2, 3, 6, 7}
    return array[:: -1 if down else 1, :: -1 if right else 1]


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
@pytest.mark.parametrize(
    ("array", "depth"),
    [
        (BYTES, 8),
        (BYTES[..., 0], 8),
        (np.dstack([BYTES, BYTES[..., 0]]), 8),
        (GREY, 16),
        (GREY / np.float32(3), "float"),
    ],
)
def test_a_tiff_is_turned_upright_whatever_its_orientation(tmp_path, array, depth, compression):
    for orientation in range(1, 9):
        file = tmp_path / f"{orientation}.tif"
        Image.fromarray(array).save(file, tiffinfo={274: orientation}, compression=compression)
        upright = turn_upright(array, orientation)
        assert read_size(file) == upright.shape[:2]
        pixels = read_pixels(file, array.shape[2] if array.ndim == 3 else 1, depth)
        np.testing.assert_array_equal(pixels.permute(1, 2, 0).numpy().reshape(upright.shape), upright)


def test_a_png_of_deep_colour_that_an_orientation_rotates_is_refused(tmp_path):
    file = write(tmp_path / "a.png", DEEP)
    exif = Image.Exif()
    exif[274] = 6
    chunk = b"eXIf" + exif.tobytes().removeprefix(b"Exif\0\0")
    content = file.read_bytes()
    chunk = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    file.write_bytes(content[:33] + chunk + content[33:])  # after the header
    with pytest.raises(ValueError, match=r"a\.png: its orientation tag rotates it"):
        read_pixels(file, 3, 16)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_tiff_in_lab_is_read_with_any_number_of_channels(tmp_path, channels):
    Image.new("LAB", (8, 6), (200, 128, 128)).save(tmp_path / "a.tif")
    pixels = read_pixels(tmp_path / "a.tif", channels)
    assert pixels.shape == (channels, 6, 8)
    assert 180 < pixels[0, 0, 0] < 200


def test_a_bomb_is_refused(tmp_path):
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk)
    with pytest.raises(ValueError, match=r"bomb\.png: cannot be read as a picture"):
        read_picture(tmp_path / "bomb.png")


def test_a_file_in_memory_is_read_as_one_on_disk(tmp_path):
    class Stored(io.BytesIO):
        suffix = ".tif"

    stored = Stored(write(tmp_path / "a.tif", DEEP).read_bytes())
    assert torch.equal(read_pixels(stored, 3, 16), read_pixels(tmp_path / "a.tif", 3, 16))  # pyright: ignore[reportArgumentType]


def test_the_size_is_known_without_reading_the_pixels(tmp_path):
    file = write(tmp_path / "a.png", BYTES)
    file.write_bytes(file.read_bytes()[:60])
    assert read_size(file) == (6, 8)


def test_a_picture_that_lacks_its_palette_is_refused_by_name(tmp_path):
    Image.fromarray(BYTES[..., 0]).convert("P").save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    start = content.index(b"PLTE") - 4
    end = start + 12 + struct.unpack(">I", content[start : start + 4])[0]
    (tmp_path / "a.png").write_bytes(content[:start] + content[end:])
    with pytest.raises(ValueError, match=r"a\.png: its pixels are numbers of colours, and the file lacks its palette"):
        read_pixels(tmp_path / "a.png", 3)
