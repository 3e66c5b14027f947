"""The elements of a synthetic facade: boxes, in fractions of the picture, and their kinds."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

# Kind -> class in the label map, in painting order: later kinds cover earlier ones.
KINDS: dict[str, str] = {
    "sky": "background",
    "neighbour": "background",
    "street": "background",
    "chimney": "facade",
    "roof": "facade",
    "wall": "facade",
    "rustic": "facade",
    "pillar": "pillar",
    "band": "molding",
    "deco": "deco",
    "window": "window",
    "door": "door",
    "blind": "blind",
    "display": "shop",
    "sign": "shop",
    "awning": "shop",
    "sill": "sill",
    "hood": "cornice",
    "eaves": "molding",
    "slab": "balcony",
    "railing": "balcony",
}


class Box(NamedTuple):
    """A rectangle in fractions of the picture: (0, 0) is its top left corner, (1, 1) the bottom right one."""

    top: float
    left: float
    bottom: float
    right: float

    @property
    def height(self) -> float:
        """Fraction of the picture's height."""
        return self.bottom - self.top

    @property
    def width(self) -> float:
        """Fraction of the picture's width."""
        return self.right - self.left

    def part(self, top: float, bottom: float, left: float = 0.0, right: float = 1.0) -> "Box":
        """The box at these fractions of this one; outside [0, 1] it sticks out."""
        return Box(
            self.top + top * self.height,
            self.left + left * self.width,
            self.top + bottom * self.height,
            self.left + right * self.width,
        )

    def middle(self, top: float, bottom: float, width: float) -> "Box":
        """The horizontally centred part of this relative width."""
        return self.part(top, bottom, 0.5 - width / 2, 0.5 + width / 2)

    def rows(self, weights: Iterable[float]) -> "list[Box]":
        """Cuts into rows, top to bottom, with heights in proportion to the weights."""
        return [self.part(start, end) for start, end in _shares(weights)]

    def columns(self, weights: Iterable[float]) -> "list[Box]":
        """Cuts into columns, left to right, with widths in proportion to the weights."""
        return [self.part(0.0, 1.0, start, end) for start, end in _shares(weights)]


class Element(NamedTuple):
    """One thing on a facade; its kind, a key of KINDS, tells how it looks and which class it has."""

    kind: str
    box: Box


def chance(rng: np.random.Generator, probability: float) -> bool:
    """True with this probability."""
    return bool(rng.random() < probability)


def _shares(weights: Iterable[float]) -> list[tuple[float, float]]:
    ends = np.cumsum(np.fromiter(weights, float))
    ends = ends / ends[-1]
    return list(zip([0.0, *ends[:-1].tolist()], ends.tolist(), strict=True))
