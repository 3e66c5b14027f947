"""Decodes picture files of any bit depth and number of channels into arrays.

Pillow reads what it can hold without loss. What it would silently cut to 8 bits or to its first channel is read by
tifffile (TIFF) or OpenCV (PNG in 16-bit colour), both of the extra `scientific`.
"""

import importlib
import io
import math
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from pix2pix.data.images.picture_files import array_of, array_shape, content, named, opened_image, require_room
from pix2pix.data.sources.shard_member import File

Depth = Literal[8, 16, 32, "float"]
Picture = Image.Image | np.ndarray

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".npy")
TIFF = (".tif", ".tiff")
DEEP = {"I", "F", "I;16", "I;16B", "I;16L", "I;16N"}  # Pillow's modes of more than 8 bits
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
TYPES: dict[Depth, np.dtype] = {
    8: np.dtype(np.uint8),
    16: np.dtype(np.uint16),
    32: np.dtype(np.int32),  # all signed integers
    "float": np.dtype(np.float32),
}
INTEGERS = np.iinfo(np.int32)
ANIMATED = {"GIF", "WEBP", "PNG"}
BITS, SAMPLES, SAMPLE_FORMAT, ORIENTATION = 258, 277, 339, 274  # tags of TIFF 6.0; the last one of EXIF, too
UNCOMPRESSED = 1  # of tag 259
LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as in Pillow


def read(path: Path, channels: int, depth: Depth = 8) -> Tensor:
    """The pixels of a file, upright, (channels, H, W): uint8, uint16, int32 or float32 as `depth` says.

    Raises:
        FileNotFoundError: when it is not there.
        ValueError: naming the file, when it cannot be read whole or holds another depth or other channels.
    """
    return pixels_of(opened(path), channels, depth, name=str(path))


def pixels_of(picture: Picture, channels: int, depth: Depth = 8, *, name: str = "picture") -> Tensor:
    """The same of a Pillow picture, or of an array (H, W) or (H, W, C); grey and colour are converted."""
    ordinary = isinstance(picture, Image.Image) and picture.mode not in DEEP
    array = None if ordinary else _array_of(picture, name)
    found = TYPES[8] if array is None else array.dtype
    if found != TYPES[depth]:
        raise ValueError(
            f"{name}: {_said(found)}, where {_said(TYPES[depth])} are expected. "
            f"Set data.depth={_depth(found)}, or data.source_depth or data.target_depth for one image alone."
        )
    if array is not None:
        return torch.from_numpy(np.array(_with_channels(array, channels, name).transpose(2, 0, 1), order="C"))
    assert isinstance(picture, Image.Image)
    if channels not in {1, 3, 4} and channels != len(picture.getbands()):
        raise ValueError(_wrong_channels(name, len(picture.getbands()), channels))
    return to_tensor(picture, MODES[channels])


def to_tensor(image: Image.Image, mode: str) -> Tensor:
    """A picture of 8 bits as uint8 (C, H, W), converted to a Pillow mode; what is transparent becomes white."""
    if image.mode != mode:
        if image.has_transparency_data and "A" not in mode:
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
        image = image.convert(mode)
    pixels = np.array(image)
    return torch.from_numpy(pixels).reshape(image.height, image.width, -1).permute(2, 0, 1)


def decode(path: Path) -> Image.Image:
    """The picture at `path`, upright.

    Raises:
        ValueError: naming the file, when it cannot be read whole, or Pillow cannot hold it without loss.
    """
    picture = opened(path)
    if not isinstance(picture, Image.Image):
        raise ValueError(f"{path}: {_said(picture.dtype)} in {picture.shape[2]} channels are no ordinary picture.")
    return picture


def opened(path: File) -> Picture:
    """What the file holds, upright: a Pillow picture where Pillow holds all of it, else an array (H, W, C)."""
    with named(path):
        if path.suffix.lower() == ".npy":
            return _numpy(path)
        try:
            with opened_image(path) as image:
                _refuse_animation(image)
                if _beyond_pillow(image):
                    return _tiff(path) if image.format == "TIFF" else _deep_png(path)
                image.load()
                ImageOps.exif_transpose(image, in_place=True)  # which else copies what is upright already
                return image
        except UnidentifiedImageError:
            if path.suffix.lower() in TIFF:
                return _tiff(path)
            raise


def picture_of(pixels: np.ndarray) -> Picture:
    """Pixels (H, W, C) as a Pillow picture where Pillow has a mode that holds them, else as they are."""
    channels = pixels.shape[2]
    if channels == 1 and pixels.dtype in TYPES.values():
        return Image.fromarray(pixels[..., 0])
    return Image.fromarray(pixels) if channels in {3, 4} and pixels.dtype == np.uint8 else pixels


def encoded(pixels: np.ndarray, suffix: str) -> bytes:
    """The bytes of a file of pixels (H, W, C) that no Pillow picture holds. Raises ValueError for other formats."""
    file = io.BytesIO()
    if suffix == ".npy":
        np.save(file, pixels)
    elif suffix in TIFF:
        colour = "rgb" if pixels.shape[2] in {3, 4} else "minisblack"
        _extra("tifffile", "writing such a TIFF").imwrite(file, pixels, photometric=colour, planarconfig="contig")
    elif suffix == ".png" and pixels.dtype == np.uint16 and pixels.shape[2] in {3, 4}:
        file.write(
            _extra("cv2", "PNG in 16-bit colour").imencode(".png", pixels[..., [2, 1, 0, 3][: pixels.shape[2]]])[1]
        )
    else:
        raise ValueError(
            f"{_said(pixels.dtype)} in {pixels.shape[2]} channels cannot be written as {suffix}. Choose tif or npy."
        )
    return file.getvalue()


def size(path: Path) -> tuple[int, int]:
    """Width and height of the upright picture in the file, from its header alone."""
    with named(path):
        if path.suffix.lower() == ".npy":
            height, width = array_shape(path)[:2]
            return width, height
        try:
            with opened_image(path) as image:
                noted = image.format != "PNG" or "exif" in image.info  # else Pillow would read the whole PNG for it
                turned = noted and image.getexif().get(ORIENTATION, 1) in {5, 6, 7, 8}
                return (image.height, image.width) if turned else (image.width, image.height)
        except UnidentifiedImageError:
            if path.suffix.lower() not in TIFF:
                raise
            height, width, _ = _tiff(path).shape
            return width, height


def _refuse_animation(image: Image.Image) -> None:
    frames = getattr(image, "n_frames", 1)
    if image.format in ANIMATED and frames > 1:
        raise ValueError(f"an animation of {frames} frames; save the frame you mean as a picture of its own")


def _beyond_pillow(image: Image.Image) -> bool:
    """Whether Pillow would lose bits, channels or pages of the file without a word."""
    if image.format == "PNG":
        tiles = getattr(image, "tile", [])
        return image.mode not in DEEP and any(str(tile[3]).endswith(";16B") for tile in tiles)
    tags = getattr(image, "tag_v2", None)
    if image.format != "TIFF" or tags is None:
        return False
    samples, deep = tags.get(SAMPLES, 1), max(tags.get(BITS, (1,))) > 8
    unsigned = max(tags.get(BITS, (1,))) > 16 and tags.get(SAMPLE_FORMAT, (1,))[0] == 1
    lost = samples != len(image.getbands()) or image.mode == "RGBX"
    return (samples > 1 and deep) or unsigned or lost or getattr(image, "n_frames", 1) > 1


def _tiff(path: File) -> np.ndarray:
    """The first series of a TIFF, its pages and samples as channels, (H, W, C)."""
    tifffile = _extra("tifffile", "TIFF of several pages, many channels or deep colour")
    everything = content(path)
    with tifffile.TiffFile(io.BytesIO(everything)) as file:
        series = file.series[0]
        _require_whole(series, len(everything))
        if file.pages[0].tags.valueof(ORIENTATION, 1) != 1:
            raise ValueError("its orientation tag turns it; save it upright")
        axes, array = series.axes, series.asarray()
    if not {"Y", "X"} <= set(axes):
        raise ValueError(f"its axes are {axes}; height and width (Y, X) are needed")
    array = np.moveaxis(array, (axes.index("Y"), axes.index("X")), (0, 1))
    return array.reshape(*array.shape[:2], -1)


def _require_whole(series: Any, length: int) -> None:
    """Raises ValueError where the pixels of a TIFF cannot lie in so many bytes, or not in memory."""
    needed = math.prod(series.shape) * series.dtype.itemsize
    if series.keyframe.compression == UNCOMPRESSED and needed > 8 * length:  # 8: pixels may be bits
        raise ValueError(f"its header says {needed:,} bytes of pixels, but it has {length:,}")
    require_room(needed, length)


def _deep_png(path: File) -> np.ndarray:
    """A PNG of more than one channel and 16 bits, uint16 (H, W, C)."""
    cv2 = _extra("cv2", "PNG in 16-bit colour")
    array = cv2.imdecode(np.frombuffer(content(path), np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None:
        raise ValueError("a damaged PNG")
    return array[..., [2, 1, 0, 3][: array.shape[2]]]  # OpenCV's order is blue, green, red


def _numpy(path: File) -> np.ndarray:
    array = array_of(path)
    return array.reshape(*array.shape[:2], -1)


def _extra(module: str, what: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ValueError(f"{what} needs an extra: pip install 'pix2pix[scientific]'") from error


def _array_of(picture: Picture, name: str) -> np.ndarray:
    """The picture as (H, W, C) of one of our four types."""
    array = np.asarray(picture)
    array = array.reshape(*array.shape[:2], -1)
    kind, bits = array.dtype.kind, array.dtype.itemsize * 8
    if kind == "b":
        return array.astype(np.uint8) * np.uint8(255)
    if kind == "f" and bits <= 64:
        if not np.isfinite(array).all():
            raise ValueError(f"{name}: some pixels are infinite or no number. Replace them before training.")
        return array.astype(np.float32)
    if kind == "u" and bits <= 16:
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    if kind not in "ui" or array.min() < INTEGERS.min or array.max() > INTEGERS.max:
        raise ValueError(f"{name}: {array.dtype} pixels cannot be read. Save them as 8 or 16 bits, or as floats.")
    return array.astype(np.int32)


def _with_channels(array: np.ndarray, channels: int, name: str) -> np.ndarray:
    found = array.shape[2]
    if found == channels:
        return array
    if found == 1 and channels == 3:
        return array.repeat(3, axis=2)
    if found == 3 and channels == 1:
        grey = (array @ LUMA)[..., None]
        return (grey.round() if array.dtype.kind in "ui" else grey).astype(array.dtype)
    raise ValueError(_wrong_channels(name, found, channels))


def _wrong_channels(name: str, found: int, channels: int) -> str:
    return (
        f"{name}: {found} channels, where {channels} are expected. Set data.source_channels or data.target_channels "
        f"to {found}, or convert the files."
    )


def _depth(dtype: np.dtype) -> Depth:
    return next(depth for depth, known in TYPES.items() if known == dtype)


def _said(dtype: np.dtype) -> str:
    names: dict[Depth, str] = {8: "8 bits", 16: "16 bits", 32: "signed integers", "float": "floats"}
    return f"pixels of {names[_depth(dtype)]}" if dtype in TYPES.values() else f"{dtype} pixels"
