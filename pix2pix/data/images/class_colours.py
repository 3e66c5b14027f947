"""Classes and colours of known label maps, and colours for classes that have none."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field

Level = Annotated[int, Field(ge=0, le=255)]
Colour = Annotated[list[Level], Field(min_length=3, max_length=3)]
UNLABELLED = "unlabelled"  # name of the class that metrics ignore
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
"""The same classes in the colours of the pairs published with the paper, which are not those of CMP."""

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
"""The nineteen classes that Cityscapes evaluates, and one for the rest (Cordts et al., arXiv 1604.01685)."""

PALETTES = {"cmp_facades": CMP_FACADES, "facades": FACADES, "cityscapes": CITYSCAPES}


PaletteChoice = str | Annotated[int, Field(ge=2, le=256)] | list[Colour] | dict[str, Colour]
"""A key of PALETTES, a number of classes, the colours of the classes in their order, or their names and colours."""


def resolve_colours(choice: PaletteChoice) -> Mapping[str, Sequence[int]]:
    """The colours of a palette by class name. Raises ValueError for an unknown name."""
    if isinstance(choice, str):
        if choice not in PALETTES:
            raise ValueError(f"palette {choice!r}: unknown. Choose from {', '.join(PALETTES)}.")
        return PALETTES[choice]
    if isinstance(choice, int):
        return {str(index): (255 * index,) * 3 if choice == 2 else voc_colour(index) for index in range(choice)}
    return choice if isinstance(choice, Mapping) else {str(index): colour for index, colour in enumerate(choice)}


def voc_colour(index: int) -> tuple[int, int, int]:
    """The colour of class `index` in Pascal VOC: bit 3k + c of the index is bit 7 - k of channel c."""
    red, green, blue = (sum((index >> 3 * bit + channel & 1) << 7 - bit for bit in range(8)) for channel in range(3))
    return red, green, blue
