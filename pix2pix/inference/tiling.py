"""Translates large pictures in overlapping tiles without visible seams.

A norm that uses the statistics of its input (batch norm at test time, instance norm) would treat each tile as a
picture of its own, and neighbouring tiles would differ in colour. So the statistics of the whole picture are collected
first. The input of a norm depends on the norms before it, so there is one sweep over the tiles for each norm. It runs
the network up to that norm, where the pass of a tile waits for the next sweep, or stops if memory is short. Then all
tiles are translated under the same statistics.
"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from pix2pix.inference.mode import InferenceMode
from pix2pix.inference.tile_noise import tile_noise
from pix2pix.inference.tile_pass import KeptPasses, TilePass
from pix2pix.models.input_sizes import round_up

Read = Callable[[int, int, int, int], Tensor]
"""Maps (top, left, height, width) to that part of the picture as the network's input, (C, height, width)."""


class Axis:
    """Tiles along one side of a picture.

    Args:
        length: the length of the side in pixels, a multiple of `multiple`.
        tile: largest side of a tile; rounded up to a multiple, at least two of them.
        overlap: the least overlap of neighbouring tiles; rounded up to a multiple.
        multiple: the network's; tiles begin at multiples of it, so that its feature grids coincide.
    """

    def __init__(self, length: int, tile: int, overlap: int, multiple: int) -> None:
        self.length, self.side = length, min(length, max(round_up(tile, multiple), 2 * multiple))
        # The last tile ends with the picture, so it may overlap its neighbour more than the others do.
        overlap = max(round_up(overlap, multiple), multiple)
        self.starts = self._place(overlap, multiple)
        if len(self.starts) > 1 and 2 * (self.starts[-1] - self.starts[-2]) < self.side:
            # Most of the last tile would be translated twice, so all tiles are made smaller.
            count = len(self.starts)
            self.side = max(round_up(-(-(length + (count - 1) * overlap) // count), multiple), 2 * multiple)
            self.starts = self._place(overlap, multiple)
        middles = [b + (a + self.side - b) // 2 for a, b in itertools.pairwise(self.starts)]
        self.cores = list(itertools.pairwise([0, *middles, length]))  # every pixel lies in the core of exactly one tile

    def _place(self, overlap: int, multiple: int) -> list[int]:
        return [*range(0, self.length - self.side, max(self.side - overlap, multiple)), self.length - self.side]

    def list_tiles(self) -> list[tuple[int, slice]]:
        """The start of each tile, and its core relative to that start."""
        cores = zip(self.starts, self.cores, strict=True)
        return [(start, slice(begin - start, end - start)) for start, (begin, end) in cores]

    def weights(self) -> list[Tensor]:
        """The blending weights of each tile, (side,): linear ramps over the overlaps, which sum to 1."""
        # Each tile's weight falls linearly towards its inner borders; at the border of the picture it stays. Divided by
        # the sum over tiles, the weights of every pixel sum to 1.
        raw = torch.zeros(len(self.starts), self.length)
        position = torch.arange(self.side) + 0.5
        for row, start in zip(raw, self.starts, strict=True):
            left = position if start else torch.full_like(position, self.side)
            right = self.side - position if start + self.side < self.length else torch.full_like(left, self.side)
            row[start : start + self.side] = torch.minimum(left, right)
        raw /= raw.sum(dim=0)
        return [row[start : start + self.side] for row, start in zip(raw, self.starts, strict=True)]


class Statistics:
    """Mean and variance of each norm's input over the whole picture."""

    def __init__(self) -> None:
        self.known: dict[nn.Module, tuple[Tensor, Tensor]] = {}
        self._sums: dict[nn.Module, tuple[Any, Any, int]] = {}

    def gather(self, core: tuple[slice, slice], side: tuple[int, int], norm: nn.Module, x: Tensor) -> None:
        """Adds a tile's core of the norm's input x to its sums. `core` and `side` are in pixels of the picture."""
        # Only the core: pixels in overlaps would count twice.
        rows, columns = (_scale_slice(part, n, whole) for part, n, whole in zip(core, x.shape[2:], side, strict=True))
        part = x[:, :, rows, columns].float()
        if count := part[:, 0].numel():
            var, mean = (each.cpu().double() for each in torch.var_mean(part, dim=(0, 2, 3), correction=0))
            sums = self._sums.get(norm, (0, 0, 0))
            more = count * mean, count * (var + mean.square()), count
            self._sums[norm] = sums[0] + more[0], sums[1] + more[1], sums[2] + more[2]

    def finish_sweep(self) -> None:
        """Computes mean and variance from the sums of the sweep."""
        for norm, (total, squares, count) in self._sums.items():
            mean = total / count
            self.known[norm] = mean.float(), (squares / count - mean.square()).clamp(min=0).float()
        self._sums = {}

    def apply(self, norm: Any, x: Tensor) -> Tensor:
        """Normalises x (B, C, H, W) with the known statistics of the norm."""
        mean, var = (each.to(x.device) for each in self.known[norm])
        return nn.functional.batch_norm(x, mean, var, norm.weight, norm.bias, eps=norm.eps)


def _scale_slice(part: slice, size: int, whole: int) -> slice:
    """Scales a slice of `whole` pixels to a feature map of `size`; adjacent slices stay adjacent."""
    return slice(part.start * size // whole, part.stop * size // whole)


class TileGrid(NamedTuple):
    """A picture, its tiles along height and width, and what is known of them so far."""

    read: Read
    rows: Axis
    columns: Axis
    name: str
    statistics: Statistics
    kept: KeptPasses


class Tiling:
    """Runs a generator over a picture of any size in bounded memory.

    Args:
        generator: the network, on its device.
        inference: its test-time choices.
        multiple: height and width of its inputs are multiples of this.
        tile: side of the tiles in pixels; rounded up to a multiple, at least two of them.
        overlap: the overlap of neighbouring tiles in pixels; a quarter of `tile` by default.
        precision: returns the context of each forward pass, for half precision.
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

    def translate(self, read: Read, height: int, width: int, name: str) -> Iterator[tuple[int, Tensor]]:
        """Yields the translation from the top downwards as (first row, band (C, h, width)).

        Args:
            read: returns parts of the picture.
            height: height of the picture, a multiple of `multiple`.
            width: width of the picture, a multiple of `multiple`.
            name: name of the picture, which selects the noise.
        """
        rows, columns = (Axis(length, self.tile, self.overlap, self.multiple) for length in (height, width))
        device = next(self.generator.parameters()).device
        tiles = TileGrid(read, rows, columns, name, Statistics(), KeptPasses(device))
        try:
            # The statistics of a norm depend on those of all norms before it, so each takes a sweep over all tiles.
            for _ in self.inference.picture_norms(self.generator):
                self._sweep(tiles)
            yield from self._blend(tiles)
        finally:
            tiles.kept.stop()

    def _sweep(self, tiles: TileGrid) -> None:
        """Computes the statistics of the next norm."""
        for (top, core_y), (left, core_x) in itertools.product(tiles.rows.list_tiles(), tiles.columns.list_tiles()):
            place = top, left
            tile = tiles.kept.take(place) or self._begin(tiles, place, (core_y, core_x))
            if tile.resume() is None:
                tiles.kept.keep(place, tile)
        tiles.statistics.finish_sweep()

    def _blend(self, tiles: TileGrid) -> Iterator[tuple[int, Tensor]]:
        """Adds up overlapping strips, weighted, and yields the rows that no later strip touches."""
        rows, rest = tiles.rows, None
        ends = [*rows.starts[1:], rows.length]
        for (start, core), share, end in zip(rows.list_tiles(), rows.weights(), ends, strict=True):
            strip = self._strip(tiles, start, core) * share[:, None]
            if rest is not None:
                strip[:, : rest.shape[1]] += rest
            yield start, strip[:, : end - start]
            rest = strip[:, end - start :]

    def _strip(self, tiles: TileGrid, top: int, core_y: slice) -> Tensor:
        """A blended row of tiles, (C, side, width)."""
        columns, strip = tiles.columns, torch.empty(0)
        for (left, core_x), share in zip(columns.list_tiles(), columns.weights(), strict=True):
            place = top, left
            output = (tiles.kept.take(place) or self._begin(tiles, place, (core_y, core_x))).resume()
            assert output is not None, "every norm has its statistics after the sweeps"
            output = output.float().cpu()
            if not len(strip):
                strip = torch.zeros(*output.shape[:2], columns.length)
            strip[:, :, left : left + columns.side] += output * share
        return strip

    def _begin(self, tiles: TileGrid, place: tuple[int, int], core: tuple[slice, slice]) -> TilePass:
        """The pass of the tile at `place` (top, left), which pauses at each norm with unknown statistics."""
        side, statistics = (tiles.rows.side, tiles.columns.side), tiles.statistics

        def compute() -> Tensor:
            source = tiles.read(*place, *side)[None]
            with torch.no_grad(), self.precision():
                return self.generator(source.to(tiles.kept.device))[0]

        def normalize(norm: nn.Module, x: Tensor) -> Tensor:
            if norm not in statistics.known:
                statistics.gather(core, side, norm, x)
                tile.pause()
            return statistics.apply(norm, x)

        noise = tile_noise(self.inference.seed_of(tiles.name), *place, side[0], self.multiple)
        tile = TilePass(compute, partial(self.inference.apply_to, self.generator, noise, normalize))
        return tile
