"""Pairs in a folder to evaluate on, which needs no training pairs."""

from pathlib import Path
from typing import get_args

from pix2pix.core.plurals import pluralize
from pix2pix.data.images.decode import Depth
from pix2pix.data.inventory import Inventory
from pix2pix.data.pair import Split
from pix2pix.data.settings import DataSettings
from pix2pix.data.sources.describe_splits import find_doubts
from pix2pix.data.sources.faults import raise_all_but_odd_widths
from pix2pix.data.sources.folder import FilePairSource, take_files_inventory
from pix2pix.data.sources.pair_files import PairFiles
from pix2pix.data.sources.pair_paths import PairPaths
from pix2pix.data.sources.splits import FolderLayout


class EvaluationFolder(FilePairSource):
    """The pairs in a folder, in the layouts of `PairFolder`. No split stands in for another one.

    A folder without splits, with files side by side directly in it or in its folders A/ and B/, holds one set of pairs,
    which is that of every split. `input_files` are those of inputs without targets, None without any.

    Args:
        path: the folder.
        data: how its files are read.

    Raises:
        FileNotFoundError: if there is no such folder, or no pair in it.
        ValueError: if names do not match.
    """

    def __init__(self, path: str | Path, data: DataSettings) -> None:
        channels = data.source_channels, data.target_channels
        depths: tuple[Depth, Depth] = data.source_depth, data.target_depth
        super().__init__(data.direction, channels, depths, {**data.folders}, data.label_map, data.palette)
        self.path = Path(path)
        if not self.path.exists():
            raise FileNotFoundError(f"no folder {str(self.path)!r}: the pairs are looked for there.")
        layout = self._find_layout()
        self.has_splits, self.input_files = layout.has_splits, layout.inputs
        self._files = layout.splits
        self._is_confirmed = data.layout == "side_by_side"
        self.found: dict[Split, PairPaths] = {split: files.files for split, files in layout.splits.items()}
        if not self.has_splits:
            self.found = dict.fromkeys(get_args(Split), self.found["train"])

    def _find_layout(self) -> FolderLayout:
        try:
            return self.find_pairs(self.path, report=raise_all_but_odd_widths)  # those are told when they are read
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"no pairs in {str(self.path)!r}: expected pictures with A and B side by side, or the folders "
                f"{' and '.join(f'{name}/' for name in self.image_names)} (other names: data.folders of the run), or "
                f"splits such as test/, or {' and '.join(f'test{name}/' for name in self.image_names)}."
            ) from error

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that have pairs."""
        return tuple(self.found)

    def split(self, split: Split) -> PairFiles:
        """The pairs of a split, in natural order of their names. Raises ValueError if there is no such split."""
        return self.open_pairs(self.files(split))

    def find_doubts(self, split: Split) -> list[str]:
        """What speaks against files of a split that are cut into halves, a sentence each."""
        files = self._files[split if self.has_splits else "train"]
        return [] if self._is_confirmed else list(find_doubts(files, confirm=""))

    def pair_name(self, split: Split, index: int) -> str:
        """The name of a pair, without reading it."""
        return self.split(split).name(index)

    def files(self, split: Split) -> PairPaths:
        """(file,) where A and B lie side by side in it, else (file of A, file of B)."""
        if split not in self.found:
            raise ValueError(self.missing_split_message(split))
        return self.found[split]

    def missing_split_message(self, split: Split) -> str:
        """The message that names the missing split and the splits that there are."""
        found = ", ".join(f"{name} ({pluralize(len(files), 'pair', 'pairs')})" for name, files in self.found.items())
        found = (
            (found or "no pairs")
            if self.has_splits
            else f"no splits, {pluralize(len(self.found[split]), 'pair', 'pairs')} in all"
        )
        return f"--split {split}: {self.path} has no {split} split; it has {found}. Choose one of these, or add pairs."

    def fingerprint(self) -> str:
        """A digest of the names and sizes of all files."""
        return self.inventory().fingerprint

    def inventory(self) -> Inventory:
        """The files, with their dates."""
        return take_files_inventory(self.path, self.found.values())
