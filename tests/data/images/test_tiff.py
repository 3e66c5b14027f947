"""TIFF: which page is the picture, what its values mean, and what is refused."""

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from pix2pix.data.images.decode import open_picture, read_pixels, read_size

RANDOM = np.random.default_rng(0)
BYTES = RANDOM.integers(0, 256, (12, 16, 3), np.uint8)
DEEP = RANDOM.integers(0, 65536, (12, 16, 3), np.uint16)


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize(
    ("array", "depth", "top"),
    [
        (BYTES[..., 0], 8, 255),
        (DEEP[..., 0], 16, 65535),
        (DEEP[..., 0] > 30000, 8, 255),
        (2**32 - 1 - DEEP[..., 0].astype(np.uint32), 32, 2**32 - 1),
    ],
)
def test_a_tiff_whose_zero_is_white_is_inverted_at_every_depth(tmp_path, byteorder, array, depth, top):
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="miniswhite", byteorder=byteorder)
    levels = array.astype(np.int64) * (255 if array.dtype == bool else 1)
    assert np.array_equal(read_pixels(tmp_path / "a.tif", 1, depth)[0].numpy(), top - levels)


def test_pages_whose_zero_is_white_are_inverted_too(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", BYTES.transpose(2, 0, 1), photometric="miniswhite")
    assert np.array_equal(read_pixels(tmp_path / "a.tif", 3).permute(1, 2, 0).numpy(), 255 - BYTES)


@pytest.mark.parametrize("array", [DEEP[..., 0].astype(np.float32), DEEP[..., 0].view(np.int16)])
def test_white_without_a_level_is_refused(tmp_path, array):
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="miniswhite")
    with pytest.raises(ValueError, match=r"a\.tif: its zero is white .*Save it with zero as black"):
        read_pixels(tmp_path / "a.tif", 1, 32)


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_signed_bytes_are_signed_integers(tmp_path, byteorder):
    signed = np.array([[-100, -1, 0, 100]], np.int8)
    tifffile.imwrite(tmp_path / "a.tif", signed, byteorder=byteorder)
    assert read_pixels(tmp_path / "a.tif", 1, 32).flatten().tolist() == [-100, -1, 0, 100]
    with pytest.raises(ValueError, match=r"a\.tif: pixels of signed integers.* 8 bits.*train with data\.depth=32"):
        read_pixels(tmp_path / "a.tif", 1)
    tifffile.imwrite(tmp_path / "b.tif", BYTES.view(np.int8), photometric="rgb")
    assert np.array_equal(read_pixels(tmp_path / "b.tif", 3, 32).permute(1, 2, 0).numpy(), BYTES.view(np.int8))


@pytest.mark.parametrize(("array", "depth"), [(BYTES, 8), (DEEP, 16), (DEEP[..., 0].astype(np.float16), "float")])
@pytest.mark.parametrize("order", ["thumbnail first", "thumbnail last"])
def test_a_thumbnail_is_not_the_picture(tmp_path, array, depth, order):
    kind = "rgb" if array.ndim == 3 else "minisblack"
    pages = [(array[:4, :4], {"subfiletype": 1}), (array, {})]
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for page, options in pages if order == "thumbnail first" else pages[::-1]:
            writer.write(page, photometric=kind, **options)
    channels = 3 if array.ndim == 3 else 1
    found = read_pixels(tmp_path / "a.tif", channels, depth).permute(1, 2, 0).numpy()
    assert np.array_equal(found, array.reshape(12, 16, -1))
    assert read_size(tmp_path / "a.tif") == (12, 16)


def test_pages_of_several_sizes_are_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(BYTES[:4, :4], photometric="rgb")
        writer.write(BYTES, photometric="rgb")
    for look in (open_picture, read_size):
        with pytest.raises(ValueError, match=r"a\.tif: holds pages of 4x4, 16x12 pixels\. Save the page"):
            look(tmp_path / "a.tif")


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("apart", [False, True], ids=["one stack", "page by page"])
def test_pages_are_channels_but_no_colours(tmp_path, count, apart):
    pages = RANDOM.integers(0, 256, (count, 8, 10), np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for part in pages if apart else [pages]:
            writer.write(part, photometric="minisblack")
    assert np.array_equal(read_pixels(tmp_path / "a.tif", count).numpy(), pages)
    for channels in {1, 3} - {count}:
        with pytest.raises(ValueError, match=rf"a\.tif: {count} channels, where {channels} .*pages or bands"):
            read_pixels(tmp_path / "a.tif", channels)


def test_three_bands_that_are_no_colours_are_not_mixed_to_grey(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", DEEP, photometric="minisblack", planarconfig="contig")
    assert np.array_equal(read_pixels(tmp_path / "a.tif", 3, 16).permute(1, 2, 0).numpy(), DEEP)
    with pytest.raises(ValueError, match=r"a\.tif: 3 channels, where 1 are expected.*not mixed to grey"):
        read_pixels(tmp_path / "a.tif", 1, 16)


@pytest.mark.parametrize("photometric", ["cielab", "separated"])
def test_colours_that_are_not_converted_are_refused(tmp_path, photometric):
    array = DEEP if photometric == "cielab" else np.dstack([DEEP, DEEP[..., :1]])
    tifffile.imwrite(tmp_path / "a.tif", array, photometric=photometric, planarconfig="contig")
    with pytest.raises(ValueError, match=r"a\.tif: its colours are (CIELAB|SEPARATED), .*Save it as RGB"):
        read_pixels(tmp_path / "a.tif", array.shape[2], 16)


@pytest.mark.parametrize("compression", ["lzw", "zstd", "packbits"])
def test_the_compressions_of_other_programs_are_read(tmp_path, compression):
    pytest.importorskip("imagecodecs")
    tifffile.imwrite(tmp_path / "a.tif", DEEP, photometric="rgb", compression=compression)
    assert np.array_equal(read_pixels(tmp_path / "a.tif", 3, 16).permute(1, 2, 0).numpy(), DEEP)
    cv2.imwrite(str(tmp_path / "b.tif"), DEEP)
    assert np.array_equal(read_pixels(tmp_path / "b.tif", 3, 16).permute(1, 2, 0).numpy(), DEEP[..., ::-1])


def test_a_compression_without_its_package_names_the_extra(tmp_path, monkeypatch):
    tifffile.imwrite(tmp_path / "a.tif", DEEP, photometric="rgb")

    def refuse(self, *args, **options):
        raise ValueError("<COMPRESSION.LZW: 5> requires the 'imagecodecs' package")

    monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", refuse)
    with pytest.raises(ValueError, match=r"a\.tif: \w+ compression needs an extra: pip install .*\.$") as refusal:
        read_pixels(tmp_path / "a.tif", 3, 16)
    assert "emove" not in str(refusal.value)


def test_a_thumbnail_alone_is_a_picture(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", BYTES, photometric="rgb", subfiletype=1)
    assert np.array_equal(np.asarray(open_picture(tmp_path / "a.tif")), BYTES)


def test_pillows_stacks_are_pages_too(tmp_path):
    pages = [Image.fromarray(BYTES[..., band]) for band in range(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    assert np.array_equal(read_pixels(tmp_path / "a.tif", 3).permute(1, 2, 0).numpy(), BYTES)
    with pytest.raises(ValueError, match="pages or bands"):
        read_pixels(tmp_path / "a.tif", 1)
