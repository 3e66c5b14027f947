"""Synthetic facades as a source of pairs."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from pix2pix.data.direction import Direction, orient
from pix2pix.data.pair import Pair, PairSource, Split
from pix2pix.data.sources.synthetic import draw_facade

Count = Annotated[int, Field(ge=1, le=10_000_000)]
FIRST = {"train": 0, "val": 1_000_000, "test": 2_000_000}  # no facade stands in two splits


class SyntheticFacades(PairSource):
    """A street of facades drawn by code; A is the photo, B the label map, as in CMP Facades.

    Training pairs are drawn at the load size, the others at the final size, so that no pixel is resampled.

    Args:
        height: height of pairs for evaluation, in pixels.
        width: width of pairs for evaluation.
        load_height: height of training pairs, before the random crop.
        load_width: width of training pairs, before the random crop.
        direction: `BtoA` makes photos from labels, `AtoB` labels from photos.
        train_pairs: number of training pairs.
        val_pairs: number of validation pairs.
        test_pairs: number of test pairs.
        seed: seed of the street.
    """

    def __init__(
        self,
        *,
        height: Count,
        width: Count,
        load_height: Count,
        load_width: Count,
        direction: Direction = "BtoA",
        train_pairs: Count = 400,
        val_pairs: Count = 40,
        test_pairs: Count = 100,
        seed: Annotated[int, Field(ge=0)] = 0,
    ) -> None:
        self.settings = dict(locals())
        self.settings.pop("self")
        self.sizes = {"train": (load_height, load_width), "val": (height, width), "test": (height, width)}
        self.counts = {"train": train_pairs, "val": val_pairs, "test": test_pairs}
        self.direction: Direction = direction
        self.seed = seed

    def split(self, split: Split) -> "RenderedPairs":
        """The pairs of `split`."""
        return RenderedPairs(split, self.counts[split], self.sizes[split], self.direction, self.seed)

    def source_size(self, split: Split, index: int) -> tuple[int, int]:
        """The size that facades are drawn at."""
        return self.sizes["val"]

    def fingerprint(self) -> str:
        """The settings: they decide every pixel."""
        return repr(sorted(self.settings.items()))


class RenderedPairs(Sequence[Pair]):
    """Pairs drawn when first indexed, and kept."""

    def __init__(self, split: Split, count: int, size: tuple[int, int], direction: Direction, seed: int) -> None:
        self.split, self.size, self.direction, self.seed = split, size, direction, seed
        self.drawn: list[Pair | None] = [None] * count

    def __len__(self) -> int:
        return len(self.drawn)

    def __getitem__(self, index: int) -> Pair:  # pyright: ignore[reportIncompatibleMethodOverride]
        pair = self.drawn[index]
        if pair is None:
            pair = self.drawn[index] = self._render(index)
        return pair

    def _render(self, index: int) -> Pair:
        height, width = self.size
        a, b = draw_facade(FIRST[self.split] + index, seed=self.seed, height=height, width=width)
        source, target = orient(a, b, self.direction)
        return Pair(_to_tensor(source), _to_tensor(target), f"{self.split}_{index:04d}")


def _to_tensor(image: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
