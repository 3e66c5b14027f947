"""Pairs in a folder to evaluate on, which needs no training pairs."""

from pathlib import Path
from typing import get_args

from pix2pix.data.images.decode import Depth
from pix2pix.data.inventory import Inventory
from pix2pix.data.pair import Split
from pix2pix.data.settings import DataSettings
from pix2pix.data.sources.folder import FilePairSource, PairFiles
from pix2pix.data.sources.folder_layout import PairPaths, find_split, inventory_splits


class EvaluationFolder(FilePairSource):
    """The pairs in a folder, in the layouts of `PairFolder`. No split stands in for another one.

    A folder without splits, with files side by side directly in it or in its folders A/ and B/, holds one set of pairs,
    which is that of every split.

    Args:
        path: the folder.
        data: how its files are read.

    Raises:
        FileNotFoundError: if there is no such folder, or no pair in it.
        ValueError: if names do not match, or a side-by-side file has an odd width.
    """

    def __init__(self, path: str | Path, data: DataSettings) -> None:
        channels = data.source_channels, data.target_channels
        depths: tuple[Depth, Depth] = data.source_depth, data.target_depth
        super().__init__(data.direction, channels, depths, {**data.folders}, data.label_map, data.palette)
        self.path = Path(path)
        self.names = [*self.sides["A"].folders, *self.sides["B"].folders]
        if not self.path.is_dir():
            raise FileNotFoundError(f"no folder {str(self.path)!r}: the pairs are looked for there.")
        self.found = self._find_splits(self.path)
        self.has_splits = bool(self.found)
        if not self.has_splits:
            self.found = dict.fromkeys(get_args(Split), self._find_all(self.path))

    def _find_splits(self, path: Path) -> dict[Split, PairPaths]:
        found: dict[Split, PairPaths] = {}
        for split in get_args(Split):
            if files := find_split(path, split, self.names):
                found[split] = files
        inner = _find_only_folder(path)
        return found if found or inner is None else self._find_splits(inner)

    def _find_all(self, path: Path) -> PairPaths:
        if found := find_split(path, "", self.names):
            return found
        if (inner := _find_only_folder(path)) is not None:
            return self._find_all(inner)
        raise FileNotFoundError(
            f"no pairs in {str(self.path)!r}: expected pictures with A and B side by side, or the folders "
            f"{' and '.join(f'{name}/' for name in self.names)} (other names: data.folders of the run), or splits such "
            f"as test/, or {' and '.join(f'test{name}/' for name in self.names)}."
        )

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that have pairs."""
        return tuple(self.found)

    def split(self, split: Split) -> PairFiles:
        """The pairs of a split, in natural order of their names. Raises ValueError if there is no such split."""
        return self.open_pairs(self.files(split))

    def files(self, split: Split) -> PairPaths:
        """(file,) where A and B lie side by side in it, else (file of A, file of B)."""
        if split not in self.found:
            raise ValueError(self.missing_split_message(split))
        return self.found[split]

    def missing_split_message(self, split: Split) -> str:
        """What the folder lacks, and what it has."""
        there = ", ".join(f"{name} ({len(files)} pairs)" for name, files in self.found.items())
        there = there if self.has_splits else f"no splits, {len(self.found[split])} pairs in all"
        return f"--split {split}: {self.path} has no {split} split; it has {there}. Choose one of these, or add pairs."

    def fingerprint(self) -> str:
        """A digest of the names and sizes of all files."""
        return self.inventory().fingerprint

    def inventory(self) -> Inventory:
        """The files, with their dates."""
        return inventory_splits(self.found.values(), self.path)


def _find_only_folder(path: Path) -> Path | None:
    """The only folder in a folder, as archives are often unpacked; None if there are none or several."""
    inner = [folder for folder in path.iterdir() if folder.is_dir() and not folder.name.startswith(".")]
    return inner[0] if len(inner) == 1 else None
