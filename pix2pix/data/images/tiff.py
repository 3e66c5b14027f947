"""Reads TIFF with tifffile: pages, bands and depths that Pillow cannot hold (extra `scientific`).

The picture of a file is its pages of full size. Thumbnails and other reduced copies, in front of it or behind it, and
transparency masks are left out. Several pages become the channels of one picture.
"""

import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from pix2pix.core.extras import MissingExtraError, import_extra
from pix2pix.data.images.memory_file import File
from pix2pix.data.images.picture_files import UnsupportedError, read_bytes, require_memory

SUFFIXES = (".tif", ".tiff")
# Tags of TIFF 6.0; EXIF has the orientation, too.
SUBFILE, OLD_SUBFILE, BITS, PHOTOMETRIC, ORIENTATION, SAMPLES, SAMPLE_FORMAT = 254, 255, 258, 262, 274, 277, 339
REDUCED, MASK = 1, 4  # bits of SUBFILE
OLD_REDUCED = 2  # a value of OLD_SUBFILE
UNSIGNED, SIGNED = 1, 2  # values of SAMPLE_FORMAT
UNCOMPRESSED, JPEG = 1, 7  # values of tag 259
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, YCBCR = 0, 1, 2, 6  # values of PHOTOMETRIC


class Bands(np.ndarray):
    """Pixels (H, W, C) whose channels are pages or bands, not colours: they are never mixed to grey."""


def exceeds_pillow(image: Image.Image) -> bool:
    """Whether Pillow would lose bits, channels, pages or the meaning of the values of an open TIFF.

    Turns the image to its first page of full size.
    """
    if count_full_pages(image) != 1:
        return True
    tags: Any = getattr(image, "tag_v2", {})
    samples, bits, sample_format = tags.get(SAMPLES, 1), max(tags.get(BITS, (1,))), tags.get(SAMPLE_FORMAT, (1,))[0]
    # What Pillow cuts to 8 bits, reads with the wrong sign or inverted, or drops.
    is_deep_colour = samples > 1 and bits > 8
    is_deep_unsigned = bits > 16 and sample_format == UNSIGNED
    is_deep_inverted = bits > 8 and tags.get(PHOTOMETRIC) == WHITE_IS_ZERO
    is_signed_byte = bits <= 8 and sample_format == SIGNED
    loses_channels = samples != len(image.getbands()) or image.mode == "RGBX"
    return is_deep_colour or is_deep_unsigned or is_deep_inverted or is_signed_byte or loses_channels


def count_full_pages(image: Image.Image) -> int:
    """The pages of an open TIFF that are no reduced copies and no masks; turns it to the first of them."""
    frames = getattr(image, "n_frames", 1)
    if frames == 1:
        return 1
    full = []
    for page in range(frames):
        try:
            image.seek(page)
        except (SyntaxError, KeyError):  # a page that only tifffile knows
            return frames
        if not _is_secondary(getattr(image, "tag_v2", {})):
            full.append(page)
    if full:
        image.seek(full[0])
    return len(full)


def read_tiff(path: File) -> np.ndarray:
    """The pages of full size, with pages and samples as channels, (H, W, C); `Bands` where these are no colours."""
    tifffile = import_extra("tifffile", "TIFF of several pages, many channels or deep colour", "scientific")
    content = read_bytes(path)
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        series = _full_series(file)
        parts = [_read_series(each, len(content)) for each in series]
    array = np.concatenate(parts, axis=2) if len(parts) > 1 else parts[0]
    # Colours are mixed to grey where a run wants one channel; bands of a satellite must not be.
    is_colour = len(series) == 1 and int(series[0].keyframe.photometric) in {RGB, YCBCR} and len(series[0].pages) == 1
    return array if is_colour or array.shape[2] == 1 else array.view(Bands)


def read_tiff_size(path: File) -> tuple[int, int]:
    """Height and width of the pages of full size, from their headers."""
    tifffile = import_extra("tifffile", "TIFF of several pages, many channels or deep colour", "scientific")
    with tifffile.TiffFile(path if isinstance(path, io.BytesIO) else str(path)) as file:
        keyframe = _full_series(file)[0].keyframe
        return keyframe.imagelength, keyframe.imagewidth


def _full_series(file: Any) -> Sequence[Any]:
    """The series of full size, all of one size. Raises UnsupportedError for several sizes."""
    series = [each for each in file.series if not _is_secondary(_values(each.keyframe))]
    if not series and any(page.subifds for page in file.pages):
        raise UnsupportedError("its picture lies in a directory below its thumbnail. Save it as a plain TIFF.")
    series = series or file.series[:1]
    sizes = sorted({(each.keyframe.imagelength, each.keyframe.imagewidth) for each in series})
    if len(sizes) > 1:
        found = ", ".join(f"{width}x{height}" for height, width in sizes)
        raise UnsupportedError(f"holds pages of {found} pixels. Save the page that you need as a file of its own.")
    return series


def _values(page: Any) -> dict[int, int]:
    return {code: page.tags.valueof(code, 0) for code in (SUBFILE, OLD_SUBFILE)}


def _is_secondary(tags: Any) -> bool:
    """Whether a page is a reduced copy of another one, or the mask of its transparency."""
    return bool(tags.get(SUBFILE, 0) & (REDUCED | MASK)) or tags.get(OLD_SUBFILE, 0) == OLD_REDUCED


def _read_series(series: Any, length: int) -> np.ndarray:
    """The pixels (H, W, C) of a series in a file of `length` bytes."""
    page, axes = series.keyframe, series.axes
    _require_plausible_size(series, length)
    _require_known_colours(page)
    if page.tags.valueof(ORIENTATION, 1) != 1:
        raise UnsupportedError("its orientation tag rotates it. Save it upright.")
    if not {"Y", "X"} <= set(axes):
        raise UnsupportedError(f"its axes are {axes}; height and width (Y, X) are needed. Save it as a plain picture.")
    try:
        array = series.asarray()
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
        raise MissingExtraError(f"{page.compression.name} compression", "scientific") from error
    array = np.moveaxis(array, (axes.index("Y"), axes.index("X")), (0, 1))
    array = array.reshape(*array.shape[:2], -1)
    return _invert(array, page) if page.tags.valueof(PHOTOMETRIC) == WHITE_IS_ZERO else array


def _require_known_colours(page: Any) -> None:
    """Raises UnsupportedError for values that are neither RGB nor levels of grey from black to white."""
    kind, is_jpeg = int(page.photometric), page.compression == JPEG
    if kind not in {WHITE_IS_ZERO, BLACK_IS_ZERO, RGB} and not (kind == YCBCR and is_jpeg):
        name = getattr(page.photometric, "name", kind)
        raise UnsupportedError(f"its colours are {name}, which are not converted at this depth. Save it as RGB.")
    if 1 < page.bitspersample < 8:
        raise UnsupportedError(f"its pages have {page.bitspersample} bits a pixel. Save them with 8 bits.")


def _invert(array: np.ndarray, page: Any) -> np.ndarray:
    """Levels of a page whose zero is white, as levels from black. Raises UnsupportedError where white has no level."""
    if array.dtype.kind == "b":
        return ~array
    if array.dtype.kind != "u" or page.samplesperpixel > 1:
        raise UnsupportedError(
            f"its zero is white (WhiteIsZero), which {array.dtype} pixels in {page.samplesperpixel} channels do not "
            "define. Save it with zero as black (BlackIsZero)."
        )
    return np.asarray(2**page.bitspersample - 1, array.dtype) - array


def _require_plausible_size(series: Any, length: int) -> None:
    """Raises ValueError when a file of `length` bytes, or memory, cannot hold the pixels of a TIFF."""
    needed = math.prod(series.shape) * series.dtype.itemsize
    if series.keyframe.compression == UNCOMPRESSED and needed > 8 * length:  # 8: pixels may be single bits
        raise ValueError(f"its header says {needed:,} bytes of pixels, but it has {length:,}")
    require_memory(needed, length)
