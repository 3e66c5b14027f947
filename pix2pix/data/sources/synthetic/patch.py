"""The pixels of all elements of one kind, with their positions in their elements: the input of shaders."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Field = NDArray[Any]  # float32
Ints = NDArray[np.intp]

DRAWS = 6
"""Uniform draws that every element owns."""


class Patch:
    """Pixels of elements of one kind, as arrays of shape (n,).

    Args:
        pixels: flat positions in the picture.
        owners: the element each pixel belongs to.
        boxes: (elements, 4) float, top, left, bottom and right of every element, in pixels.
        draws: (elements, DRAWS) in [0, 1), what differs between elements that are otherwise alike.
        fields: named (height, width) noise fields.
    """

    def __init__(
        self, pixels: Ints, owners: Ints, boxes: Field, draws: Field, fields: dict[str, Field], width: int
    ) -> None:
        self._pixels = pixels
        self._owners = owners
        self._draws = draws
        self._fields = fields
        self.row, self.col = (part.astype(np.float32) for part in np.divmod(pixels, width))
        self.top, self.left, bottom, right = boxes.T[:, owners]
        self.h, self.w = bottom - self.top, right - self.left
        self.y, self.x = self.row + 0.5 - self.top, self.col + 0.5 - self.left

    @cached_property
    def u(self) -> Field:
        """Place in the element from its left (0) to its right side (1)."""
        return self.x / self.w

    @cached_property
    def v(self) -> Field:
        """Place in the element from its top (0) to its bottom (1)."""
        return self.y / self.h

    def draw(self, number: int) -> Field:
        """Draw `number` of each pixel's element."""
        return self._draws[:, number][self._owners]

    def noise(self, name: str) -> Field:
        """A noise field at the pixels, about [-1, 1]."""
        return self._fields[name].ravel()[self._pixels]

    def edge(self) -> Field:
        """Pixels to the nearest side of the element."""
        return np.minimum(np.minimum(self.x, self.w - self.x), np.minimum(self.y, self.h - self.y))


def line(distance: Field, thickness: float) -> Field:
    """How much of a pixel at this distance from its middle a line covers; thin lines fade rather than break."""
    return np.clip(0.5 + thickness / 2 - np.abs(distance), 0, min(1.0, thickness))


def to_multiple(x: Field, period: Field | float) -> Field:
    """Signed distance of x to the nearest multiple of the period."""
    return x - period * np.rint(x / period)


def mix(a: Field, b: Field, amount: Field | float) -> Field:
    """From colour a (amount 0) to colour b (amount 1); colours (3,) or (n, 3), amounts (n,)."""
    amount = np.asarray(amount, dtype=np.float32)[..., None]
    return a + (b - a) * amount


def tone(colour: Field, amount: Field) -> Field:
    """The colour (3,) or (n, 3) times amounts (n,)."""
    return colour * amount[:, None]


def ramp(x: Field, start: float, end: float) -> Field:
    """0 before start, 1 after end, straight between."""
    return np.clip((x - start) / (end - start), 0, 1)


def scatter(keys: Sequence[Field]) -> Field:
    """A number in [0, 1) for every tuple of whole numbers: neighbours get unrelated ones."""
    mixed = np.zeros(keys[0].shape, dtype=np.uint32)
    for key in keys:
        mixed = (mixed ^ key.astype(np.int32).view(np.uint32)) * np.uint32(0x9E3779B1)
        mixed ^= mixed >> np.uint32(15)
    return (mixed >> np.uint32(8)).astype(np.float32) / np.float32(1 << 24)
