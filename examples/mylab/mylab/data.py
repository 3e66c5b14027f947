"""A source of pairs."""

import random
from collections.abc import Sequence
from typing import Annotated

import torch
from pix2pix.data import Pair, PairSource
from pydantic import Field


class Discs(PairSource):
    """Discs drawn by code: the source is an outline, the target the disc filled with the colour of its outline.

    Args:
        size: height and width in pixels.
        pairs: how many there are in each of the splits train, val and test.
    """

    def __init__(self, *, size: Annotated[int, Field(ge=8)], pairs: Annotated[int, Field(ge=1)]) -> None:
        self.size, self.pairs = size, pairs
        self.drawn = {split: [self._draw(f"{split}_{index}") for index in range(pairs)] for split in self.splits}

    def split(self, split: str) -> Sequence[Pair]:
        """The pairs of a split."""
        return self.drawn[split]

    def fingerprint(self) -> str:
        """What decides every pixel: a run resumes only on the pairs that it started with."""
        return f"discs, {self.size} pixels, {self.pairs} pairs"

    def _draw(self, name: str) -> Pair:
        draw = random.Random(name)  # The name is the seed, so no pair is in two splits.
        radius = self.size * draw.uniform(0.2, 0.4)
        y, x = (draw.uniform(radius, self.size - radius) for _ in "yx")
        colour = torch.tensor([draw.randrange(256) for _ in "RGB"]).reshape(3, 1, 1)
        rows, columns = torch.meshgrid(torch.arange(self.size), torch.arange(self.size), indexing="ij")
        beyond = torch.hypot(rows - y, columns - x) - radius
        outline, disc = (torch.where(inside, colour, 255) for inside in (beyond.abs() < 1, beyond < 1))
        return Pair(outline.to(torch.uint8), disc.to(torch.uint8), name)
