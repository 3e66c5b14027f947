"""How to read images A and B: channels, bit depth and palette, in separate files or side by side."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pix2pix.data.direction import Direction, Letter, order_letters
from pix2pix.data.images.class_colours import PaletteChoice
from pix2pix.data.images.decode import Depth, Picture, open_picture, to_pixels
from pix2pix.data.images.input_kinds import InputKind, Inputs, coded_channels, has_classes, has_kinds, stored_channels
from pix2pix.data.images.instances import find_boundaries
from pix2pix.data.images.memory_file import File
from pix2pix.data.images.palettes import Palette, to_displayable
from pix2pix.data.images.picture_files import lift_pixel_limit
from pix2pix.data.images.pictures import select_channels

Folders = str | Inputs
OWN_FOLDERS: dict[Letter, Folders] = {"A": "A", "B": "B"}


class ImageSpec(NamedTuple):
    """How to read one image of a pair: the channels of each of its files, their depth, the palette of a label map."""

    channels: tuple[int, ...] = (3,)
    depth: Depth = 8
    palette: Palette | None = None
    folders: tuple[str, ...] = ()
    inputs: Inputs | None = None  # what each file holds, where these are not pictures alone

    @property
    def is_plain_rgb(self) -> bool:
        """Whether an ordinary RGB picture of 8 bits is used as it is."""
        return self.channels == (3,) and self.depth == 8

    def read(self, files: Sequence[File]) -> Tensor:
        """Reads the image (C, H, W) in `files`, and concatenates their channels in this order."""
        return self.combine([open_picture(file) for file in files], str(files[0]))

    def combine(self, images: Sequence[Picture], name: str) -> Tensor:
        """Concatenates decoded pictures to the image, as `read` does with files."""
        if len(images) != len(self.channels):
            names = ", ".join(self.folders)
            raise ValueError(f"{name}: the input needs {len(self.channels)} pictures ({names}), but got {len(images)}.")
        if self.palette is not None and self.inputs is None:
            return self.palette.decode_label_map(images[0], name)
        kinds = self.inputs.values() if self.inputs else self.channels
        parts = [self._read_part(image, kind, name) for image, kind in zip(images, kinds, strict=True)]
        if len({part.shape[1:] for part in parts}) > 1:
            sizes = ", ".join(f"{part.shape[2]}x{part.shape[1]}" for part in parts)
            raise ValueError(f"{name}: its inputs have different sizes, {sizes} pixels. Resize the files.")
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def _read_part(self, image: Picture, kind: InputKind, name: str) -> Tensor:
        if kind == "boundaries":
            return find_boundaries(image)
        if kind == "classes":
            assert self.palette is not None
            return self.palette.decode_label_map(image, name)
        assert isinstance(kind, int)
        return to_pixels(image, kind, self.depth, name=name)

    def show(self, image: Tensor, palette: Palette | None) -> Tensor:
        """The channels of a generator's input (C, H, W) that a picture can show, with classes in their colours.

        `palette` gives the colours if the input has one channel per class.
        """
        if self.inputs is None:
            return select_channels(to_displayable(image, palette), self.channels)
        kinds = self.inputs.values()
        parts = image.split([coded_channels(kind, len(palette or ())) for kind in kinds])
        painted = [
            to_displayable(part, palette if kind == "classes" else None)
            for part, kind in zip(parts, kinds, strict=True)
        ]
        return select_channels(torch.cat(painted), self.channels)


RGB_SPEC = ImageSpec()


def make_specs(
    direction: Direction,
    channels: tuple[int, int],
    depths: tuple[Depth, Depth],
    folders: Mapping[Letter, Folders],
    label_map: Letter | None,
    palette: PaletteChoice | None,
) -> dict[Letter, ImageSpec]:
    """The specs of A and B. `channels` and `depths` are those of source and target, in this order."""
    return {
        image: make_spec(folders[image], count, depth, palette if label_map == image else None, palette)
        for image, count, depth in zip(order_letters(direction), channels, depths, strict=True)
    }


def make_spec(
    folders: Folders,
    channels: int,
    depth: Depth = 8,
    palette: PaletteChoice | None = None,
    classes: PaletteChoice | None = None,
) -> ImageSpec:
    """The spec of an image in one folder with `channels`, or in the folders of a mapping to what they hold.

    `palette` is that of an image which is a label map, `classes` that of label maps which are joined with others.
    """
    counts = (channels,) if isinstance(folders, str) else tuple(map(stored_channels, folders.values()))
    choice = classes if has_classes(folders) else palette
    inputs = None if isinstance(folders, str) or not has_kinds(folders) else folders
    return ImageSpec(
        counts,
        depth,
        Palette(choice) if choice else None,
        (folders,) if isinstance(folders, str) else tuple(folders),
        inputs,
    )


@overload
def split_halves(image: Image.Image, path: File) -> tuple[Image.Image, Image.Image]: ...
@overload
def split_halves(image: Picture, path: File) -> tuple[Picture, Picture]: ...
def split_halves(image: Picture, path: File) -> tuple[Picture, Picture]:
    """The left and right halves of a side-by-side picture. Raises ValueError for an odd width."""
    if not isinstance(image, Image.Image):
        require_even(image.shape[1], path)
        left, right = np.split(image, 2, axis=1)
        return left, right
    require_even(image.width, path)
    middle = image.width // 2
    with lift_pixel_limit():
        return image.crop((0, 0, middle, image.height)), image.crop((middle, 0, image.width, image.height))


def require_even(width: int, path: File) -> None:
    """Raises ValueError for a side-by-side picture of odd width."""
    if width % 2:
        raise odd_width_error(width, path)


def odd_width_error(width: int, path: File) -> ValueError:
    """The error of a side-by-side picture whose width is odd."""
    return ValueError(
        f"{path}: width {width} is odd, but a side-by-side pair is two halves of equal width. "
        "Crop the file, or put A and B into two folders, trainA/ and trainB/."
    )
