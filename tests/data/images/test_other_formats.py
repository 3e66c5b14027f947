"""Files of rarer formats, arrays with their channels in front, and pictures of any size."""

import io
import warnings

import numpy as np
import pytest
from PIL import Image, features

from pix2pix.data.images import picture_files
from pix2pix.data.images.decode import SUFFIXES, open_picture, read_pixels, read_size
from pix2pix.data.images.picture_files import lift_pixel_limit
from pix2pix.data.sources.image_spec import split_halves
from pix2pix.data.sources.picture_folders import list_pictures

RANDOM = np.random.default_rng(0)
BYTES = RANDOM.integers(0, 256, (12, 16, 3), np.uint8)
DEEP = RANDOM.integers(0, 65536, (12, 16, 3), np.uint16)


@pytest.mark.parametrize("name", ["a.jfif", "a.jpe", "a.ppm", "a.pnm", "a.jp2", "a.avif"])
def test_pictures_of_rarer_suffixes_are_found_and_read(tmp_path, name):
    kind = {"jfif": "JPEG", "jpe": "JPEG", "jp2": "JPEG2000", "avif": "AVIF"}.get(name.partition(".")[2], "PPM")
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    Image.fromarray(BYTES).save(tmp_path / name, kind)
    with Image.open(tmp_path / name, formats=(kind,)) as expected:
        assert np.array_equal(read_pixels(tmp_path / name, 3).permute(1, 2, 0).numpy(), np.asarray(expected))
    assert list_pictures(tmp_path) == [name]
    assert read_size(tmp_path / name) == (12, 16)


@pytest.mark.parametrize("array", [DEEP, DEEP[..., 0]], ids=["colour", "grey"])
def test_a_ppm_of_16_bits_keeps_them(tmp_path, array):
    header = b"P%d\n16 12\n65535\n" % (6 if array.ndim == 3 else 5)
    (tmp_path / "a.pnm").write_bytes(header + array.astype(">u2").tobytes())
    found = read_pixels(tmp_path / "a.pnm", 3 if array.ndim == 3 else 1, 16).permute(1, 2, 0).numpy()
    assert np.array_equal(found, array.reshape(12, 16, -1))


@pytest.mark.parametrize("most", [18, 4095])
def test_a_ppm_whose_levels_end_elsewhere_is_refused(tmp_path, most):
    array = np.zeros((12, 16), np.uint8 if most < 256 else ">u2")
    (tmp_path / "a.pgm").write_bytes(b"P5\n16 12\n%d\n" % most + array.tobytes())
    with pytest.raises(ValueError, match=rf"a\.pgm: its levels end at {most}; 255 and 65535 are read\. Save it as PNG"):
        open_picture(tmp_path / "a.pgm")


@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("colour", [False, True])
def test_jpeg_2000_keeps_its_bits(tmp_path, bits, colour):
    imagecodecs = pytest.importorskip("imagecodecs")
    array = (DEEP if colour else DEEP[..., 0]) >> (16 - bits)
    content = imagecodecs.jpeg2k_encode(array, level=0, bitspersample=bits, reversible=True)
    (tmp_path / "a.jp2").write_bytes(content)
    found = read_pixels(tmp_path / "a.jp2", 3 if colour else 1, 16).permute(1, 2, 0).numpy()
    assert np.array_equal(found, array.reshape(12, 16, -1))


def test_avif_of_ten_bits_is_refused(tmp_path):
    imagecodecs = pytest.importorskip("imagecodecs")
    if not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    (tmp_path / "a.avif").write_bytes(imagecodecs.avif_encode(DEEP >> 6, level=100, bitspersample=10))
    with pytest.raises(ValueError, match=r"a\.avif: AVIF of more than 8 bits a channel\. Save it as PNG or TIFF"):
        open_picture(tmp_path / "a.avif")


@pytest.mark.parametrize("suffix", sorted({"jp2", "avif", "ppm", "jfif"}))
def test_a_damaged_file_of_these_is_named(tmp_path, suffix):
    assert f".{suffix}" in SUFFIXES
    stored = io.BytesIO()
    Image.fromarray(BYTES).save(stored, {"jfif": "JPEG", "jp2": "JPEG2000", "avif": "AVIF", "ppm": "PPM"}[suffix])
    whole = stored.getvalue()
    for length in (0, 3, 20, 100, len(whole) // 2):
        (tmp_path / f"a.{suffix}").write_bytes(whole[:length])
        with pytest.raises(ValueError, match=rf"a\.{suffix}: cannot be read as a picture"):
            open_picture(tmp_path / f"a.{suffix}")


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(("kind", "depth"), [(np.uint8, 8), (np.float32, "float")])
def test_an_array_with_its_channels_in_front_is_read(tmp_path, channels, kind, depth):
    array = RANDOM.integers(0, 2, (channels, 12, 16)).astype(kind)
    np.save(tmp_path / "a.npy", array)
    assert np.array_equal(read_pixels(tmp_path / "a.npy", channels, depth).numpy(), array)
    assert read_size(tmp_path / "a.npy") == (12, 16)


def test_many_channels_in_front_are_refused_with_the_order_of_the_axes(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((13, 12, 16), np.uint8))
    with pytest.raises(ValueError, match=r"16 channels, where 13 are expected.*first axis .*numpy\.moveaxis"):
        read_pixels(tmp_path / "a.npy", 13)


@pytest.mark.parametrize("limit", [50, 150])  # 12 x 16 pixels are an error above half of it, and a warning above it
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_picture_above_pillows_limit_is_read(tmp_path, monkeypatch, mode, limit):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    Image.fromarray(BYTES).convert(mode).save(tmp_path / "lzw.tif", compression="tiff_lzw")
    for name in ("a.png", "a.tif", "a.webp", "a.bmp", "a.jp2", "lzw.tif"):
        if name != "lzw.tif":
            Image.fromarray(BYTES).convert(mode).save(tmp_path / name)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            picture = open_picture(tmp_path / name)
            assert isinstance(picture, Image.Image)
            assert split_halves(picture, tmp_path / name)[1].size == (8, 12)
    assert limit == Image.MAX_IMAGE_PIXELS


def test_the_limit_comes_back_when_the_last_reader_is_done(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 7)
    with lift_pixel_limit():
        with lift_pixel_limit():
            pass
        assert Image.MAX_IMAGE_PIXELS is None
    assert Image.MAX_IMAGE_PIXELS == 7


def test_a_picture_larger_than_the_memory_is_refused_by_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr(picture_files, "LARGE", 1000)
    monkeypatch.setattr(picture_files, "free_memory", lambda: 1000)
    Image.fromarray(BYTES).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"a\.png: it takes .* GB of memory, .* Cut it into smaller") as refusal:
        open_picture(tmp_path / "a.png")
    assert "emove" not in str(refusal.value)
