"""The files of many pairs, in little memory, and their inventory."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path, PurePath

import numpy as np

from pix2pix.data.images.picture_files import drop_suffix
from pix2pix.data.inventory import Inventory, stat_file
from pix2pix.data.sources.pair_names import pair_name, shorten_name


class PairPaths(Sequence[tuple[Path, ...]]):
    """The files of each pair, whose names become paths when they are asked for.

    Args:
        folders: for each file of a pair the folder it lies in.
        names: for each folder the names of its files, or their paths below it, in the order of the pairs.
        keys: the names of the pairs as paths with slashes, where names of files are not enough; else None.
        image_name: the name of the first folder, which is no part of the name of a pair; see `pair_name`.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        names: Sequence[list[str]],
        keys: list[str] | None = None,
        image_name: str = "",
    ) -> None:
        self.folders, self.names, self.keys, self.image_name = folders, names, keys, image_name

    def __len__(self) -> int:
        return len(self.names[0])

    def __getitem__(self, index: int) -> tuple[Path, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return tuple(folder / names[index] for folder, names in zip(self.folders, self.names, strict=True))

    def select(self, numbers: Iterable[int]) -> "PairPaths":
        """The pairs of these numbers, in their order; they keep the names that they have here."""
        numbers = list(map(int, numbers))
        keys = self._unique_names
        names = [[names[number] for number in numbers] for names in self.names]
        return PairPaths(self.folders, names, keys and [keys[number] for number in numbers], self.image_name)

    def pair_name(self, index: int) -> str:
        """The name of a pair."""
        if self._unique_names is not None:
            return shorten_name(self._unique_names[index])
        return shorten_name(pair_name(drop_suffix(PurePath(self.names[0][index]).name), self.image_name))

    @cached_property
    def _unique_names(self) -> list[str] | None:
        """The names of pairs in folders below folders, each of its own; None where the first file's name is enough.

        A name is that of the file where all differ, and has the folders in front where they do not.
        """
        if self.keys is None:
            return None
        short = [key.rpartition("/")[2] for key in self.keys]
        names = short if max(Counter(short).values(), default=1) == 1 else [key.replace("/", "_") for key in self.keys]
        taken: Counter[str] = Counter()
        return [_number(name, taken) for name in names]

    def describe_files(self, root: Path) -> Iterator[tuple[str, int]]:
        """For each file its path below `root` and its bytes, in words, and the date of its last change."""
        for folder, names in zip(self.folders, self.names, strict=True):
            below = os.path.relpath(folder, root) + os.sep
            shown = below.removeprefix(f".{os.sep}")
            for name in names:
                stat = stat_file(os.path.join(folder, name))  # noqa: PTH118 - a path takes longer than its size
                yield f"{shown}{name} {stat.st_size}", stat.st_mtime_ns


def _number(name: str, taken: Counter[str]) -> str:
    taken[name] += 1
    return name if taken[name] == 1 else f"{name}_{taken[name]}"


def inventory_splits(splits: Iterable[PairPaths], root: Path, settings: str = "") -> Inventory:
    """The files of splits below `root`; the fingerprint is a digest of their names and sizes, and of `settings`."""
    dates = dict(line for files in set(splits) for line in files.describe_files(root))
    lines = sorted(dates)
    digest = hashlib.sha256("\n".join([*lines, *filter(None, [settings])]).encode()).hexdigest()
    sizes = np.fromiter((int(line.rpartition(" ")[2]) for line in lines), np.int64, len(lines))
    return Inventory(
        digest,
        lambda number: root / lines[number].rpartition(" ")[0],
        sizes,
        np.fromiter((dates[line] for line in lines), np.int64, len(lines)),
    )
