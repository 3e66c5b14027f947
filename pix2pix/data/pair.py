"""The `Pair` type, and the interface of every source of pairs."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from torch import Tensor

from pix2pix.core.randomness import epoch_order
from pix2pix.data.inventory import Inventory, take_inventory

LOOK_AHEAD = 16  # pairs that are announced to `read_ahead`
Split = Literal["train", "val", "test"]


class Pair(NamedTuple):
    """Two images aligned pixel by pixel, (C, H, W) each: in the type of the files, or in [-1, 1] once transformed."""

    source: Tensor
    target: Tensor
    name: str

    @property
    def images(self) -> tuple[Tensor, Tensor]:
        """Source and target."""
        return self.source, self.target


def to_pair(batch: Any) -> Pair:
    """A batch of any data loader as a `Pair`: a `Pair`, (source, target), or a mapping with `source` and `target`.

    Both are (B, C, H, W) in [-1, 1]. A mapping may also have `name`, a name for each pair; without names they are "0",
    "1" ... Raises TypeError for anything else.
    """
    match batch:
        case Pair():
            return batch
        case {"source": Tensor() as source, "target": Tensor() as target}:
            names: Any = batch.get("name")
        case [Tensor() as source, Tensor() as target]:
            names = None
        case _:
            content = f"the keys {list(batch)}" if isinstance(batch, Mapping) else type(batch).__name__
            raise TypeError(
                f"a batch of {content}: Pix2Pix takes (source, target), or a dictionary with `source` and `target`, "
                "tensors (B, C, H, W) in [-1, 1]."
            )
    names = names or [str(position) for position in range(len(source))]
    return Pair(source, target, names)


class InputAlone(NamedTuple):
    """The source (C, H, W) of a pair that has no target: in the type of its file, or in [-1, 1] once transformed."""

    source: Tensor
    name: str


def read_ahead(pairs: Any, indices: Iterable[int]) -> None:
    """Tells a sequence which indices are about to be asked for, if it can use that; see `ReadAhead`."""
    if hasattr(pairs, "read_ahead"):
        pairs.read_ahead(indices)


class PairSource(ABC):
    """The pairs of a data set, in three splits."""

    @abstractmethod
    def split(self, split: Split) -> Sequence[Pair]:
        """The pairs of one split, read when indexed."""

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that have pairs; `split` raises ValueError for the others."""
        return get_args(Split)

    def inputs(self) -> "Sequence[InputAlone]":
        """Inputs without targets, which the samples of a training show; read when indexed."""
        return ()

    def describe(self) -> list[str]:
        """What was found, in a line for the user; then what was left out or looks wrong. Empty says nothing."""
        return []

    @abstractmethod
    def fingerprint(self) -> str:
        """A digest that changes when the pairs change."""

    def inventory(self) -> Inventory:
        """The files that hold the pairs, with their dates; empty if no files on this machine do."""
        files = {file for split in self.splits for pair in self.files(split) for file in pair}
        return take_inventory(self.fingerprint(), sorted(files))

    def files(self, split: Split) -> Sequence[tuple[Path, ...]]:
        """The files of each pair of a split; empty if pairs are not in files of their own."""
        return ()

    def pair_name(self, split: Split, index: int) -> str:
        """The name of a pair, without reading it; its number where the name would have to be read."""
        return str(index + 1)

    def source_size(self, split: Split, index: int) -> tuple[int, int]:
        """Height and width of a pair's source before it is resized. Reads the pair; a class may know better."""
        height, width = self.split(split)[index].source.shape[-2:]
        return height, width

    def redraw(self, pair: Pair, seed: int, epoch: int, index: int) -> Pair:
        """Training pair `index` at load size with those random parts that are drawn anew in every epoch.

        The draw is a function of the last three arguments. Here, and wherever nothing is random, the pair itself.
        """
        return pair

    def order(self, seed: int, epoch: int, length: int) -> np.ndarray:
        """The order in which an epoch visits the `length` training pairs, a permutation of range(length)."""
        return epoch_order(seed, epoch, length)
