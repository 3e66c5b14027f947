"""Decodes picture files of any bit depth and number of channels into arrays.

Pillow reads what it holds without loss. `deep_formats` and `tiff` read what Pillow would silently cut to 8 bits or one
channel, `medical` DICOM and NIfTI.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from pix2pix.core.plurals import pluralize
from pix2pix.data.images import medical, tiff
from pix2pix.data.images.deep_formats import (
    PILLOW_DEEP_MODES,
    exceeds_pillow,
    read_exactly,
    read_numpy,
    read_numpy_size,
)
from pix2pix.data.images.memory_file import File
from pix2pix.data.images.picture_files import FORMATS_BY_SUFFIX, UnsupportedError, open_image, report_unreadable
from pix2pix.data.images.tiff import Bands
from pix2pix.data.images.value_range import TYPES, Depth, depth_of, describe_type

Picture = Image.Image | np.ndarray  # arrays are (H, W, C)

JPEG = (".jpg", ".jpeg", ".jpe", ".jfif")
SUFFIXES = (*JPEG, ".png", ".webp", ".bmp", ".gif", *tiff.SUFFIXES, *FORMATS_BY_SUFFIX, ".npy", *medical.SUFFIXES)
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
INT32 = np.iinfo(np.int32)
ANIMATED = {"GIF", "WEBP", "PNG", "AVIF"}
ONLY_TO_RGB = {"LAB", "HSV"}  # modes that Pillow converts to no other one
SIDEWAYS = {5, 6, 7, 8}  # EXIF orientations that exchange height and width
LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as in Pillow


class _Reader(NamedTuple):
    """Reads the pixels (H, W, C), or the height and width alone, of a format that Pillow does not know."""

    read: Callable[[File], np.ndarray]
    read_size: Callable[[File], tuple[int, int]]


READERS = {
    ".npy": _Reader(read_numpy, read_numpy_size),
    ".dcm": _Reader(medical.read_dicom, medical.read_dicom_size),
    ".nii": _Reader(medical.read_nifti, medical.read_nifti_size),
    ".gz": _Reader(medical.read_nifti, medical.read_nifti_size),  # no other compressed files are listed
}


def read_pixels(path: Path, channels: int, depth: Depth = 8) -> Tensor:
    """The pixels of a file, upright, (channels, H, W): uint8, uint16, int32 or float32 as `depth` says.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: naming the file, when it is damaged or holds another depth or other channels.
    """
    return to_pixels(open_picture(path), channels, depth, name=str(path))


def to_pixels(picture: Picture, channels: int, depth: Depth = 8, *, name: str = "picture") -> Tensor:
    """The pixels of a decoded picture, as `read_pixels` gives them; an array is (H, W) or (H, W, C).

    Grey is converted to colour and colour to grey. Raises ValueError for another depth or other channels.
    """
    if isinstance(picture, Image.Image) and picture.mode not in PILLOW_DEEP_MODES:
        _require_type(TYPES[8], depth, name)
        if channels not in {1, 3, 4} and channels != len(picture.getbands()):
            raise ValueError(_channels_message(name, len(picture.getbands()), channels))
        return pil_to_tensor(picture, MODES[channels])
    array = to_known_type(picture, name)
    _require_type(array.dtype, depth, name)
    converted = _convert_channels(array, channels, name, has_colours=not isinstance(picture, Bands))
    return torch.from_numpy(np.array(converted.transpose(2, 0, 1), order="C"))


def pil_to_tensor(image: Image.Image, mode: str) -> Tensor:
    """A picture of 8 bits as uint8 (C, H, W), converted to a Pillow mode; transparency is composited on white."""
    if image.mode != mode:
        if image.has_transparency_data and "A" not in mode:
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
        elif image.mode in ONLY_TO_RGB:
            image = image.convert("RGB")
        image = image.convert(mode)
    pixels = np.array(image)
    return torch.from_numpy(pixels).reshape(image.height, image.width, -1).permute(2, 0, 1)


def read_picture(path: Path) -> Image.Image:
    """The Pillow picture in a file, upright.

    Raises:
        ValueError: naming the file, when it is damaged, or Pillow cannot hold it without loss.
    """
    picture = open_picture(path)
    if not isinstance(picture, Image.Image):
        found = f"{describe_type(picture.dtype)} in {picture.shape[2]} channels"
        raise ValueError(f"{path}: {found} are not an ordinary picture. Convert the file to 8-bit grey or RGB.")
    return picture


def open_picture(path: File) -> Picture:
    """The picture in a file, upright: of Pillow where Pillow holds it without loss, else an array (H, W, C)."""
    with report_unreadable(path):
        if reader := READERS.get(path.suffix.lower()):
            return reader.read(path)
        try:
            with open_image(path) as image:
                _refuse_animation(image)
                if exceeds_pillow(image, path):
                    _refuse_orientation(image)
                    return read_exactly(path, image.format)
                image.load()
                if image.mode in {"P", "PA"} and image.palette is None:
                    raise UnsupportedError("its pixels are numbers of colours, and the file lacks its palette.")
                ImageOps.exif_transpose(image, in_place=True)  # otherwise it copies even an upright picture
                return image
        except UnidentifiedImageError:
            if path.suffix.lower() in tiff.SUFFIXES:
                return tiff.read_tiff(path)
            raise


def array_to_picture(pixels: np.ndarray) -> Picture:
    """Pixels (H, W, C) as a Pillow picture where Pillow has a mode for them, else unchanged."""
    channels = pixels.shape[2]
    if channels == 1 and pixels.dtype in TYPES.values():
        return Image.fromarray(pixels[..., 0])
    return Image.fromarray(pixels) if channels in {3, 4} and pixels.dtype == np.uint8 else pixels


def read_size(path: Path) -> tuple[int, int]:
    """Height and width of the upright picture in a file, from its header alone."""
    with report_unreadable(path):
        if reader := READERS.get(path.suffix.lower()):
            return reader.read_size(path)
        try:
            with open_image(path) as image:
                if image.format == "TIFF" and tiff.count_full_pages(image) != 1:
                    return tiff.read_tiff_size(path)
                # Of a TIFF Pillow gives the upright size itself. Asking a PNG without EXIF for its orientation would
                # make Pillow read the whole file.
                has_exif = image.format != "TIFF" and (image.format != "PNG" or "exif" in image.info)
                is_sideways = has_exif and image.getexif().get(tiff.ORIENTATION, 1) in SIDEWAYS
                return (image.width, image.height) if is_sideways else (image.height, image.width)
        except UnidentifiedImageError:
            if path.suffix.lower() not in tiff.SUFFIXES:
                raise
            return tiff.read_tiff_size(path)


def _refuse_animation(image: Image.Image) -> None:
    frames = getattr(image, "n_frames", 1)
    if image.format in ANIMATED and frames > 1:
        raise UnsupportedError(f"an animation of {frames} frames. Save the frame that you need as a file of its own.")


def _refuse_orientation(image: Image.Image) -> None:
    """Raises UnsupportedError for a picture to be turned, which only Pillow's reader would do."""
    if image.format != "TIFF" and image.getexif().get(tiff.ORIENTATION, 1) != 1:  # of TIFF `tiff` does the same
        raise UnsupportedError("its orientation tag rotates it. Save it upright.")


def _require_type(found: np.dtype, depth: Depth, name: str) -> None:
    if found != TYPES[depth]:
        raise ValueError(
            f"{name}: {describe_type(found)}, where {describe_type(TYPES[depth])} are expected. "
            f"Convert the file, or train with data.depth={depth_of(found)}: for one image alone, with "
            "data.source_depth or data.target_depth."
        )


def to_known_type(picture: Picture, name: str) -> np.ndarray:
    """The picture as (H, W, C) of one of TYPES, without loss of what these hold. Raises ValueError for others."""
    array = np.asarray(picture)
    array = array.reshape(*array.shape[:2], -1)
    kind, bits = array.dtype.kind, array.dtype.itemsize * 8
    if kind == "b":
        return array.astype(np.uint8) * np.uint8(255)
    if kind == "f" and bits <= 64:
        with np.errstate(over="ignore"):  # numbers beyond float32 become infinite
            array = array.astype(np.float32)
        if not np.isfinite(array).all():
            raise ValueError(
                f"{name}: some pixels are infinite, beyond 3e38 or not a number. Replace them before training."
            )
        return array
    if kind == "u" and bits <= 16:
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    if kind not in "ui" or array.min() < INT32.min or array.max() > INT32.max:
        raise ValueError(f"{name}: {array.dtype} pixels cannot be read. Save them as 8 or 16 bits, or as floats.")
    return array.astype(np.int32)


def _convert_channels(array: np.ndarray, channels: int, name: str, *, has_colours: bool) -> np.ndarray:
    found = array.shape[2]
    if found == channels:
        return array
    if found == 1 and channels == 3:
        return array.repeat(3, axis=2)
    if found == 3 and channels == 1 and has_colours:
        grey = (array @ LUMA)[..., None]
        return (grey.round() if array.dtype.kind in "ui" else grey).astype(array.dtype)
    message = _channels_message(name, found, channels)
    if array.shape[0] == channels:
        message += " If its first axis holds the channels, save it with the last one: numpy.moveaxis(array, 0, -1)."
    raise ValueError(message if has_colours else f"{message} They are pages or bands, which are not mixed to grey.")


def _channels_message(name: str, found: int, channels: int) -> str:
    return (
        f"{name}: {pluralize(found, 'channel', 'channels')}, where {channels} are expected. Convert the files, or "
        f"train with {found} as data.source_channels or data.target_channels."
    )
