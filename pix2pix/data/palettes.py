"""Label maps: the colours that classes are drawn in, and the ways between colours, classes and channels."""

import torch
from torch import Tensor

from pix2pix.data.lab import join_lightness

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
"""The twelve classes of the CMP Facades database."""

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

PALETTES = {"cmp_facades": CMP_FACADES, "cityscapes": CITYSCAPES}


class Palette:
    """The classes of a label map and their colours.

    Args:
        name: a key of PALETTES.

    Raises:
        ValueError: for a name that is none.
    """

    def __init__(self, name: str) -> None:
        if name not in PALETTES:
            raise ValueError(f"palette {name!r}: there is none of this name. Choose from {', '.join(PALETTES)}.")
        self.classes = list(PALETTES[name])
        self.ignored = [index for index, kind in enumerate(self.classes) if kind == UNLABELLED]
        self.colours = torch.tensor(list(PALETTES[name].values()), dtype=torch.float32) / 127.5 - 1

    def __len__(self) -> int:
        return len(self.classes)

    def read(self, image: Tensor) -> Tensor:
        """The class of each pixel, int64 (..., H, W).

        Args:
            image: (..., 3, H, W) in [-1, 1], read by the nearest colour (label maps come as JPEGs), or
                (..., classes, H, W), read by the largest channel.
        """
        if image.shape[-3] == len(self):
            return image.argmax(dim=-3)
        pixels = image.movedim(-3, -1)
        colours = self.colours.to(image.device)
        # |p - c|^2 without the |p|^2 that all classes share: one product instead of a difference for every class
        return (colours.square().sum(dim=1) - 2 * pixels @ colours.T).argmin(dim=-1)

    def one_hot(self, classes: Tensor) -> Tensor:
        """A channel for each class, 1 where the pixel is of it and -1 elsewhere: (..., classes, H, W)."""
        return torch.nn.functional.one_hot(classes, len(self)).movedim(-1, -3).to(torch.float32) * 2 - 1

    def paint(self, classes: Tensor) -> Tensor:
        """The colours of the classes: (..., 3, H, W) in [-1, 1]."""
        return self.colours.to(classes.device)[classes].movedim(-1, -3)


def visible(image: Tensor, palette: Palette | None, source: Tensor | None = None) -> Tensor:
    """An image as a picture in [-1, 1]: painted, when it is coded with a channel for each class.

    Two channels are Lab's a and b, which become a picture with the lightness of their `source`.
    """
    if image.shape[-3] == 2 and source is not None:
        return join_lightness(source, image)
    if palette is None or image.shape[-3] != len(palette):
        return image
    return palette.paint(palette.read(image))
