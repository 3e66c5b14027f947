"""The dropout noise of a tile: a window of one field over the whole picture, so that neighbouring tiles agree."""

import itertools
from typing import NamedTuple

import torch
from torch import Tensor

from pix2pix.core.randomness import derive_seed
from pix2pix.inference.mode import Noise

CELL = 256  # pixels; the noise of a large picture is drawn in squares of about this side


def tile_noise(seed: int, top: int, left: int, height: int, multiple: int) -> Noise:
    """The noise of a tile of `height` pixels at (top, left): a window of one unbounded noise plane per dropout."""
    layers = itertools.count()
    cell = -(-CELL // multiple) * multiple

    def noise(x: Tensor, keep: float) -> Tensor:
        layer = next(layers)
        if x.dim() != 4 or set(x.shape[2:]) == {1}:  # whole channels: the same for all tiles
            generator = torch.Generator().manual_seed(derive_seed(seed, "inference", layer))
            return torch.empty(x.shape).bernoulli_(keep, generator=generator)
        _, channels, rows, columns = x.shape
        stride = height // rows
        plane = NoisePlane(seed, layer, (channels, cell // stride, cell // stride), keep)
        return plane.part(top // stride, left // stride, rows, columns)[None]

    return noise


class NoisePlane(NamedTuple):
    """The noise of one dropout over an unbounded plane, drawn in cells that each have their own seed."""

    seed: int
    layer: int
    shape: tuple[int, int, int]
    keep: float

    def part(self, top: int, left: int, rows: int, columns: int) -> Tensor:
        """The window (C, rows, columns) at (top, left)."""
        # The cells that the window touches, joined, and the window cut out of them.
        side = self.shape[1]
        down, across = (range(a // side, -(-(a + n) // side)) for a, n in ((top, rows), (left, columns)))
        cells = torch.cat([torch.cat([self._cell(y, x) for x in across], dim=2) for y in down], dim=1)
        return cells[:, top % side : top % side + rows, left % side : left % side + columns]

    def _cell(self, row: int, column: int) -> Tensor:
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "inference", self.layer, row, column))
        return torch.empty(self.shape).bernoulli_(self.keep, generator=generator)
