"""Reads and writes what Pillow cannot hold: TIFF of many channels, PNG in 16-bit colour, NumPy arrays.

TIFF takes tifffile and PNG OpenCV, both in the extra `scientific`.
"""

import importlib
import io
import math
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image

from pix2pix.data.images.picture_files import read_bytes, read_npy, require_memory
from pix2pix.data.images.value_range import describe_type
from pix2pix.data.sources.shard_member import File

TIFF = (".tif", ".tiff")
PILLOW_DEEP_MODES = {"I", "F", "I;16", "I;16B", "I;16L", "I;16N"}  # more than 8 bits in one channel
BITS, SAMPLES, SAMPLE_FORMAT, ORIENTATION = 258, 277, 339, 274  # TIFF 6.0 tags; EXIF has the last one, too
UNSIGNED = 1  # value of SAMPLE_FORMAT
UNCOMPRESSED = 1  # value of tag 259


def exceeds_pillow(image: Image.Image) -> bool:
    """Whether Pillow would silently lose bits, channels or pages of the file."""
    if image.format == "PNG":
        tiles = getattr(image, "tile", [])
        return image.mode not in PILLOW_DEEP_MODES and any(str(tile[3]).endswith(";16B") for tile in tiles)
    tags = getattr(image, "tag_v2", None)
    if image.format != "TIFF" or tags is None:
        return False
    samples, bits = tags.get(SAMPLES, 1), max(tags.get(BITS, (1,)))
    is_deep_colour = samples > 1 and bits > 8
    is_deep_unsigned = bits > 16 and tags.get(SAMPLE_FORMAT, (1,))[0] == UNSIGNED
    loses_channels = samples != len(image.getbands()) or image.mode == "RGBX"
    return is_deep_colour or is_deep_unsigned or loses_channels or getattr(image, "n_frames", 1) > 1


def read_tiff(path: File) -> np.ndarray:
    """The first series of a TIFF, with its pages and samples as channels, (H, W, C)."""
    tifffile = _import_extra("tifffile", "TIFF of several pages, many channels or deep colour")
    content = read_bytes(path)
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        series = file.series[0]
        _require_plausible_size(series, len(content))
        if file.pages[0].tags.valueof(ORIENTATION, 1) != 1:
            raise ValueError("its orientation tag rotates it; save it upright")
        axes, array = series.axes, series.asarray()
    if not {"Y", "X"} <= set(axes):
        raise ValueError(f"its axes are {axes}; height and width (Y, X) are needed")
    array = np.moveaxis(array, (axes.index("Y"), axes.index("X")), (0, 1))
    return array.reshape(*array.shape[:2], -1)


def _require_plausible_size(series: Any, length: int) -> None:
    """Raises ValueError when a file of `length` bytes, or memory, cannot hold the pixels of a TIFF."""
    needed = math.prod(series.shape) * series.dtype.itemsize
    if series.keyframe.compression == UNCOMPRESSED and needed > 8 * length:  # 8: pixels may be single bits
        raise ValueError(f"its header says {needed:,} bytes of pixels, but it has {length:,}")
    require_memory(needed, length)


def read_deep_png(path: File) -> np.ndarray:
    """A PNG of several channels of 16 bits, uint16 (H, W, C)."""
    cv2 = _import_extra("cv2", "PNG in 16-bit colour")
    array = cv2.imdecode(np.frombuffer(read_bytes(path), np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None:
        raise ValueError("a damaged PNG")
    return _swap_red_and_blue(array)


def read_numpy(path: File) -> np.ndarray:
    """The array of a `.npy` file, (H, W, C)."""
    array = read_npy(path)
    return array.reshape(*array.shape[:2], -1)


def encode_array(pixels: np.ndarray, suffix: str) -> bytes:
    """The bytes of a file of pixels (H, W, C) that no Pillow picture holds. Raises ValueError for other formats."""
    file = io.BytesIO()
    if suffix == ".npy":
        np.save(file, pixels)
    elif suffix in TIFF:
        colour = "rgb" if pixels.shape[2] in {3, 4} else "minisblack"
        tifffile = _import_extra("tifffile", "writing such a TIFF")
        tifffile.imwrite(file, pixels, photometric=colour, planarconfig="contig")
    elif suffix == ".png" and pixels.dtype == np.uint16 and pixels.shape[2] in {3, 4}:
        file.write(_import_extra("cv2", "PNG in 16-bit colour").imencode(".png", _swap_red_and_blue(pixels))[1])
    else:
        found = f"{describe_type(pixels.dtype)} in {pixels.shape[2]} channels"
        raise ValueError(f"{found} cannot be written as {suffix}. Choose tif or npy.")
    return file.getvalue()


def _swap_red_and_blue(pixels: np.ndarray) -> np.ndarray:
    """Converts (H, W, 3 or 4) between RGB and OpenCV's BGR."""
    return pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]


def _import_extra(module: str, feature: str) -> ModuleType:
    """A module of an optional dependency. Raises ValueError, with the command that installs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ValueError(f"{feature} needs an extra: pip install 'pix2pix[scientific]'") from error
