"""Large pictures in overlapping tiles, under one noise and one set of statistics: no seams to see.

A norm that looks at the picture (batch norm at test time, instance norm) would look at each tile by itself and colour
it by itself. So some tiles, spread over the picture, first run as one batch whose norms see all of them together; what
they saw then normalises every tile. Statistics that were gathered tile by tile would not fit each other: those of one
norm are of what the norms before it leave.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from pix2pix.inference import InferenceMode, Noise, NormalizePicture
from pix2pix.randomness import derive

SAMPLED = 2  # along each axis: so many tiles, four in all, run as one batch to gather the statistics
CELL = 256  # pixels; the noise of a large picture is drawn in squares of about this side
Read = Callable[[int, int, int, int], Tensor]
"""From top, left, height and width to that part of the picture as the network takes it, (C, height, width)."""


class Axis:
    """Tiles along one side of a picture.

    Args:
        length: of the side, a multiple of `multiple`.
        tile: side of a tile; rounded up to two multiples at least.
        overlap: of neighbours; rounded up to a multiple, at most half of a tile.
        multiple: of the network; tiles begin at multiples of it, so that its grids coincide.
    """

    def __init__(self, length: int, tile: int, overlap: int, multiple: int) -> None:
        def rounded(value: int) -> int:
            return -(-value // multiple) * multiple

        self.length, self.side = length, min(length, max(rounded(tile), 2 * multiple))
        stride = max(self.side - max(rounded(overlap), multiple), multiple)
        self.starts = [*range(0, length - self.side, stride), length - self.side]

    def weights(self) -> list[Tensor]:
        """The share of each tile in each of its pixels: ramps over the overlaps, which add up to one."""
        raw = torch.zeros(len(self.starts), self.length)
        position = torch.arange(self.side) + 0.5
        for row, start in zip(raw, self.starts, strict=True):
            left = position if start else torch.full_like(position, self.side)
            right = self.side - position if start + self.side < self.length else torch.full_like(left, self.side)
            row[start : start + self.side] = torch.minimum(left, right)
        raw /= raw.sum(dim=0)
        return [row[start : start + self.side] for row, start in zip(raw, self.starts, strict=True)]

    def spread(self, count: int) -> list[int]:
        """The beginnings of so many tiles, or of all there are, in the middles of equal parts of the side."""
        count = min(count, len(self.starts))
        return [self.starts[(2 * part + 1) * len(self.starts) // (2 * count)] for part in range(count)]


class Statistics:
    """Mean and variance of what each norm is given, over the tiles of one batch, for all tiles to use."""

    def __init__(self) -> None:
        self._known: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def gather(self, norm: nn.Module, x: Tensor) -> Tensor:
        """Normalises a batch of tiles by what they are together, and remembers it."""
        var, mean = torch.var_mean(x.float(), dim=(0, 2, 3), correction=0)
        self._known[norm] = mean, var
        return self.apply(norm, x)

    def apply(self, norm: Any, x: Tensor) -> Tensor:
        """Normalises by what is remembered."""
        return nn.functional.batch_norm(x, *self._known[norm], norm.weight, norm.bias, eps=norm.eps)


class Tiles(NamedTuple):
    """A picture and how it is cut: along its height and along its width."""

    read: Read
    rows: Axis
    columns: Axis
    name: str


class Tiling:
    """Runs a generator over a picture of any size in bounded memory.

    Args:
        generator: the network, on its device.
        inference: its test-time choices.
        multiple: of the sides it takes.
        tile: side of the tiles in pixels, a multiple of `multiple` and at least two of them.
        overlap: of neighbouring tiles; a quarter of `tile` by default.
        precision: entered around each run of the generator, for half precision.
    """

    def __init__(
        self,
        generator: nn.Module,
        inference: InferenceMode,
        multiple: int,
        *,
        tile: int,
        overlap: int | None = None,
        precision: Callable[[], AbstractContextManager[Any]] = torch.no_grad,
    ) -> None:
        self.generator, self.inference, self.multiple = generator, inference, multiple
        self.tile, self.overlap = tile, tile // 4 if overlap is None else overlap
        self.precision = precision

    def bands(self, read: Read, height: int, width: int, name: str) -> Iterator[tuple[int, Tensor]]:
        """The translation (C, h, width) from the top downwards, each band with the row at which it begins.

        Args:
            read: gives parts of the picture.
            height: of the picture, a multiple of `multiple`, as is `width`.
            width: see above.
            name: of the picture, which chooses the noise.
        """
        rows, columns = (Axis(length, self.tile, self.overlap, self.multiple) for length in (height, width))
        tiles = Tiles(read, rows, columns, name)
        statistics = Statistics()
        if self.inference.picture_norms(self.generator):
            sample = list(itertools.product(rows.spread(SAMPLED), columns.spread(SAMPLED)))
            self._run(tiles, sample, statistics.gather)
        yield from self._blended(tiles, statistics)

    def _blended(self, tiles: Tiles, statistics: Statistics) -> Iterator[tuple[int, Tensor]]:
        rows, rest = tiles.rows, None
        for start, share, end in zip(rows.starts, rows.weights(), [*rows.starts[1:], rows.length], strict=True):
            strip = self._strip(tiles, start, statistics) * share[:, None]
            if rest is not None:
                strip[:, : rest.shape[1]] += rest
            yield start, strip[:, : end - start]
            rest = strip[:, end - start :]

    def _strip(self, tiles: Tiles, top: int, statistics: Statistics) -> Tensor:
        """A row of tiles, blended: (C, side, width)."""
        columns, strip = tiles.columns, torch.empty(0)
        for left, share in zip(columns.starts, columns.weights(), strict=True):
            output = self._run(tiles, [(top, left)], statistics.apply)[0].float().cpu()
            if not len(strip):
                strip = torch.zeros(*output.shape[:2], columns.length)
            strip[:, :, left : left + columns.side] += output * share
        return strip

    def _run(self, tiles: Tiles, places: list[tuple[int, int]], normalize: NormalizePicture) -> Tensor:
        """The tiles at these places, as one batch."""
        height, width = tiles.rows.side, tiles.columns.side
        source = torch.stack([tiles.read(top, left, height, width) for top, left in places])
        noise = field(self.inference.seed_of(tiles.name), places, height, self.multiple)
        device = next(self.generator.parameters()).device
        with torch.no_grad(), self.precision(), self.inference.applied_to(self.generator, noise, normalize):
            return self.generator(source.to(device))


def field(seed: int, places: Sequence[tuple[int, int]], height: int, multiple: int) -> Noise:
    """The parts of one noise over a plane without end that a batch of tiles of `height` sees, at (top, left) each."""
    layers = itertools.count()
    cell = -(-CELL // multiple) * multiple

    def noise(x: Tensor, keep: float) -> Tensor:
        _, channels, rows, columns = x.shape
        stride = height // rows
        drawing = Cells(seed, next(layers), (channels, cell // stride, cell // stride), keep)
        return torch.stack([drawing.part(top // stride, left // stride, rows, columns) for top, left in places])

    return noise


class Cells(NamedTuple):
    """The noise of one dropout over a plane without end, drawn in cells, each from a seed of its own."""

    seed: int
    layer: int
    shape: tuple[int, int, int]
    keep: float

    def part(self, top: int, left: int, rows: int, columns: int) -> Tensor:
        """(C, rows, columns) of it."""
        side = self.shape[1]
        down, across = (range(a // side, -(-(a + n) // side)) for a, n in ((top, rows), (left, columns)))
        drawn = torch.cat([torch.cat([self._cell(y, x) for x in across], dim=2) for y in down], dim=1)
        return drawn[:, top % side : top % side + rows, left % side : left % side + columns]

    def _cell(self, row: int, column: int) -> Tensor:
        generator = torch.Generator().manual_seed(derive(self.seed, "inference", self.layer, row, column))
        return torch.empty(self.shape).bernoulli_(self.keep, generator=generator)
