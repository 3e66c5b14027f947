"""Label maps: palettes, and conversion between colours, class indices and one-hot channels."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
import torch
from PIL import Image
from pydantic import Field
from torch import Tensor

from pix2pix.data.device import device_constant
from pix2pix.data.images.decode import Picture, pil_to_tensor
from pix2pix.data.images.lab import join_lightness

VOID = 255  # in files of class numbers: of no class
Level = Annotated[int, Field(ge=0, le=255)]
Colour = Annotated[list[Level], Field(min_length=3, max_length=3)]
UNLABELLED = "unlabelled"  # pixels of no class, which no accuracy counts
Colours = dict[str, tuple[int, int, int]]

CMP_FACADES: Colours = {
    "background": (0, 0, 170),
    "facade": (0, 0, 255),
    "window": (0, 85, 255),
    "door": (0, 170, 255),
    "cornice": (0, 255, 255),
    "sill": (85, 255, 170),
    "balcony": (170, 255, 85),
    "blind": (255, 255, 0),
    "deco": (255, 170, 0),
    "molding": (255, 85, 0),
    "pillar": (255, 0, 0),
    "shop": (170, 0, 0),
}
"""The twelve classes of the CMP Facades database, in the colours of its own files."""

FACADES: Colours = {
    "background": (0, 0, 223),
    "facade": (0, 48, 255),
    "window": (0, 128, 255),
    "door": (0, 207, 255),
    "cornice": (32, 255, 223),
    "sill": (112, 255, 143),
    "balcony": (191, 255, 64),
    "blind": (255, 239, 0),
    "deco": (255, 159, 0),
    "molding": (255, 80, 0),
    "pillar": (255, 0, 0),
    "shop": (175, 0, 0),
}
"""The same classes in the colours of the pairs that came with the paper, which were drawn anew."""

CITYSCAPES: Colours = {
    "road": (128, 64, 128),
    "sidewalk": (244, 35, 232),
    "building": (70, 70, 70),
    "wall": (102, 102, 156),
    "fence": (190, 153, 153),
    "pole": (153, 153, 153),
    "traffic light": (250, 170, 30),
    "traffic sign": (220, 220, 0),
    "vegetation": (107, 142, 35),
    "terrain": (152, 251, 152),
    "sky": (70, 130, 180),
    "person": (220, 20, 60),
    "rider": (255, 0, 0),
    "car": (0, 0, 142),
    "truck": (0, 0, 70),
    "bus": (0, 60, 100),
    "train": (0, 80, 100),
    "motorcycle": (0, 0, 230),
    "bicycle": (119, 11, 32),
    UNLABELLED: (0, 0, 0),
}
"""The nineteen classes that Cityscapes evaluates, and what it leaves out (Cordts et al., arXiv 1604.01685)."""

PALETTES = {"cmp_facades": CMP_FACADES, "facades": FACADES, "cityscapes": CITYSCAPES}


PaletteChoice = str | Annotated[int, Field(ge=2, le=256)] | list[Colour] | dict[str, Colour]
"""A key of PALETTES, a number of classes, the colours of the classes in their order, or their names and colours."""


class Palette:
    """The classes of a label map and their colours.

    Args:
        choice: a key of PALETTES; or colours (r, g, b) of 0 to 255, as a list or by the names of the classes; or a
            number of classes, for label maps that hold the classes themselves. These are given colours: black and
            white for two, else those of Pascal VOC.

    Raises:
        ValueError: for a name that is none, or colours that do not tell the classes apart.
    """

    def __init__(self, choice: PaletteChoice) -> None:
        colours = resolve_colours(choice)
        if len(set(map(tuple, colours.values()))) < max(len(colours), 2):
            raise ValueError(f"palette {choice!r}: two or more classes of different colours are needed.")
        self.classes = list(colours)
        self.counted = isinstance(choice, int)  # by numbers alone: a file's own colours mean nothing
        self.ignored = [index for index, kind in enumerate(self.classes) if kind == UNLABELLED]
        self.pixels = torch.tensor(list(colours.values()), dtype=torch.uint8)
        self.colours = tuple(map(tuple, (self.pixels.to(torch.float32) / 127.5 - 1).tolist()))  # in [-1, 1]

    def __len__(self) -> int:
        return len(self.classes)

    def classify(self, image: Tensor) -> Tensor:
        """The class of each pixel, int64 (..., H, W): that of the nearest colour, as label maps come as JPEGs.

        Args:
            image: (..., 3, H, W) in [-1, 1].
        """
        pixels = image.movedim(-3, -1)
        colours = device_constant(self.colours, image.device)
        # |p - c|^2 without the |p|^2 that all classes share: one product instead of a difference for every class
        return (colours.square().sum(dim=1) - 2 * pixels @ colours.T).argmin(dim=-1)

    def decode_label_map(self, picture: Picture, name: str) -> Tensor:
        """A label map from a file, painted in the colours of the palette: uint8 (3, H, W).

        A file of one channel holds the classes themselves, as does one with colours of its own where this palette is a
        mere number. 255 is the class `unlabelled` where there is one. With two classes, 0 and 255 (or anything darker
        and lighter) are 0 and 1.
        """
        numbers = self._class_numbers(picture, name)
        if numbers is None:
            assert isinstance(picture, Image.Image)
            return pil_to_tensor(picture, "RGB")
        if len(self) == 2 and numbers.max() > 1:
            numbers = numbers > (65535 if numbers.max() > 255 else 255) // 2
        if self.ignored:
            numbers = np.where(numbers == VOID, self.ignored[0], numbers)
        if numbers.min() < 0 or numbers.max() >= len(self):
            raise ValueError(
                f"{name}: holds class {numbers.max()}, where data.palette has {len(self)} classes, 0 to "
                f"{len(self) - 1}. Set data.palette to the number of classes, or give a colour to each."
            )
        return self.pixels[torch.from_numpy(numbers.astype(np.int64))].permute(2, 0, 1).contiguous()

    def _class_numbers(self, picture: Picture, name: str) -> np.ndarray | None:
        """The classes (H, W) that a file holds as numbers; None for one that holds colours."""
        if isinstance(picture, Image.Image):
            colours = len(picture.getbands()) > 1 or (picture.mode == "P" and not self.counted)
            return None if colours else np.asarray(picture)
        if picture.ndim == 3 and picture.shape[2] > 1:
            raise ValueError(
                f"{name}: a label map of {picture.shape[2]} channels; one of classes or 8-bit colours is needed."
            )
        return picture.reshape(picture.shape[:2])

    def one_hot(self, classes: Tensor) -> Tensor:
        """A channel for each class, 1 where the pixel is of it and -1 elsewhere: (..., classes, H, W)."""
        return torch.nn.functional.one_hot(classes, len(self)).movedim(-1, -3).to(torch.float32) * 2 - 1

    def paint(self, classes: Tensor) -> Tensor:
        """The colours of the classes: (..., 3, H, W) in [-1, 1]."""
        return device_constant(self.colours, classes.device)[classes].movedim(-1, -3)


def resolve_colours(choice: PaletteChoice) -> Mapping[str, Sequence[int]]:
    """The classes of a palette by name, with their colours."""
    if isinstance(choice, str):
        if choice not in PALETTES:
            raise ValueError(f"palette {choice!r}: there is none of this name. Choose from {', '.join(PALETTES)}.")
        return PALETTES[choice]
    if isinstance(choice, int):
        return {str(index): (255 * index,) * 3 if choice == 2 else voc_colour(index) for index in range(choice)}
    return choice if isinstance(choice, Mapping) else {str(index): colour for index, colour in enumerate(choice)}


def voc_colour(index: int) -> tuple[int, int, int]:
    """The colour of class `index` in Pascal VOC: its bits in turn, from the lowest, are the high bits of r, g and b."""
    red, green, blue = (sum((index >> 3 * bit + channel & 1) << 7 - bit for bit in range(8)) for channel in range(3))
    return red, green, blue


def to_displayable(image: Tensor, coded: Palette | None, source: Tensor | None = None) -> Tensor:
    """An image as a picture in [-1, 1]: painted, when it is `coded` with a channel for each class of a palette.

    Two other channels are Lab's a and b, which become a picture with the lightness of their `source`.
    """
    if coded is not None and image.shape[-3] == len(coded):
        return coded.paint(image.argmax(dim=-3))
    return join_lightness(source, image) if image.shape[-3] == 2 and source is not None else image
