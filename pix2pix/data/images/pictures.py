"""Converts tensors in [-1, 1] to pictures, saves them, and draws contact sheets."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from pix2pix.core.atomic_files import atomic_file
from pix2pix.data.images.decode import Picture, array_to_picture
from pix2pix.data.images.deep_formats import encode_array
from pix2pix.data.images.geotiff import Place, write_place
from pix2pix.data.images.resize import Size, flip_size
from pix2pix.data.images.tiff import SUFFIXES as TIFF_SUFFIXES
from pix2pix.data.images.value_range import denormalize

GAP, TITLE_HEIGHT, MIN_CELL_WIDTH = 4, 20, 128  # pixels on a contact sheet
JPEG = {".jpg": {"L", "RGB", "CMYK"}, ".jpeg": {"L", "RGB", "CMYK"}}
LOSSLESS_MODES = JPEG | {".png": {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}}  # Pillow also writes others, with loss

# A format ignores options of others. PNGs of level 1 by run lengths (zlib's Z_RLE) are written four times as fast as
# Pillow's own; photos are 4 % larger, label maps of classes smaller.
SAVE_OPTIONS = {"quality": 95, "compress_level": 1, "compress_type": 3}


def to_picture(image: Tensor) -> Image.Image:
    """An image (C, H, W) in [-1, 1] with 1, 3 or 4 channels as a Pillow picture, rounded to 8 bits."""
    picture = array_to_picture(denormalize(image.float(), 8))
    if not isinstance(picture, Image.Image):
        raise ValueError(
            f"image with {image.shape[0]} channels: only 1, 3 or 4 can be a picture. Call select_channels first."
        )
    return picture


def select_channels(image: Tensor, input_channels: Sequence[int] = ()) -> Tensor:
    """The channels of an image (C, H, W) that a picture can show: all of 1, 3 or 4, one of two, else the first three.

    An image that concatenates several inputs is shown by its first input of three channels, or else by its first input.

    Args:
        image: the image.
        input_channels: the channels of each input in it.
    """
    if len(input_channels) > 1:
        parts = image.split(list(input_channels))
        return select_channels(next((part for part in parts if len(part) == 3), parts[0]))
    channels = image.shape[0]
    return image if channels in {1, 3, 4} else image[: 3 if channels > 3 else 1]


class SheetLayout(NamedTuple):
    """Where the images of a contact sheet are, in pixels.

    Args:
        width: the width of each image on the sheet.
        height: the height of each image on the sheet.
        top: height of the titles above the first row.
    """

    width: int
    height: int
    top: int = TITLE_HEIGHT

    @classmethod
    def for_images(cls, size: Size, top: int = TITLE_HEIGHT) -> Self:
        """The layout for images of this (height, width); small ones are enlarged to MIN_CELL_WIDTH by whole factors."""
        height, width = size
        scale = max(1, MIN_CELL_WIDTH // width)
        return cls(width * scale, height * scale, top)

    def page_size(self, rows: int, columns: int) -> Size:
        """Height and width of a sheet."""
        return self.top + rows * (self.height + GAP), columns * (self.width + GAP) + GAP

    def count_rows(self, page_height: int) -> int:
        """The number of rows of a sheet of this height."""
        return (page_height - self.top) // (self.height + GAP)

    def cell(self, row: int, column: int) -> tuple[int, int, int, int]:
        """The (left, top, right, bottom) of an image."""
        left, top = GAP + column * (self.width + GAP), self.top + row * (self.height + GAP)
        return left, top, left + self.width, top + self.height


def make_contact_sheet(rows: Sequence[Sequence[Tensor]], titles: Sequence[str] = ()) -> Image.Image:
    """Puts rows of images (C, H, W) of one size side by side on white, under their titles, as `SheetLayout` says."""
    pictures = [[to_picture(select_channels(image)).convert("RGB") for image in row] for row in rows]
    layout = SheetLayout.for_images(flip_size(pictures[0][0].size), TITLE_HEIGHT if titles else GAP)
    page = Image.new("RGB", flip_size(layout.page_size(len(rows), len(rows[0]))), "white")
    for column, title in enumerate(titles):
        left, *_ = layout.cell(0, column)
        ImageDraw.Draw(page).text((left, 3), _fit_title(title, layout.width), fill="#444", font=_title_font())
    for row, line in enumerate(pictures):
        for column, picture in enumerate(line):
            enlarged = picture.resize((layout.width, layout.height), Image.Resampling.NEAREST)
            page.paste(enlarged, layout.cell(row, column))
    return page


def _title_font() -> Any:
    return ImageFont.load_default(12)


def _fit_title(title: str, width: int) -> str:
    """The title, or as much of its beginning as is no wider than a column of so many pixels."""
    if _title_font().getlength(title) <= width:
        return title
    ends = range(len(title) - 1, 0, -1)
    return next((f"{title[:end]}…" for end in ends if _title_font().getlength(f"{title[:end]}…") <= width), "")


def save_picture(picture: Picture, path: Path, *, place: Place | None = None, **options: Any) -> None:
    """Writes a picture or an array (H, W, C) atomically, in the format of the suffix; creates the folder.

    A TIFF says with `place` where on earth it lies. `options` are Pillow's options for the format.

    Raises:
        ValueError: when the format cannot hold the pixels without loss.
        OSError: when the file cannot be written.
    """
    with atomic_file(path) as part:
        _write(picture, part, path.suffix.lower(), **SAVE_OPTIONS | options)
        if place is not None and path.suffix.lower() in TIFF_SUFFIXES:
            write_place(part, place)


def _write(picture: Picture, path: Path, suffix: str, **options: Any) -> None:
    if not isinstance(picture, Image.Image) or suffix == ".npy":
        pixels = np.asarray(picture)
        path.write_bytes(encode_array(pixels.reshape(*pixels.shape[:2], -1), suffix))
        return
    # A JPEG has no colour table.
    if picture.mode == "P" and suffix in JPEG:
        picture = picture.convert("RGB")
    if picture.mode not in LOSSLESS_MODES.get(suffix, {picture.mode}):
        raise ValueError(f"a picture of mode {picture.mode} cannot be written as {suffix}. Choose png, tif or npy.")
    picture.save(path, format=Image.registered_extensions()[suffix], **options)
