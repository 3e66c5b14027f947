"""Finds the pairs of each split in one folder of a data set."""

import functools
import itertools
from collections.abc import Callable, Sequence, Set
from pathlib import Path
from typing import Literal

from natsort import natsorted

from pix2pix.data.images.picture_files import drop_suffix
from pix2pix.data.pair import Split
from pix2pix.data.sources.faults import Fault, FaultLog
from pix2pix.data.sources.inputs_alone import describe_inputs
from pix2pix.data.sources.layout_faults import (
    describe_missing_partners,
    describe_single_inputs,
    describe_single_pictures,
    find_images_below,
    find_same_folder,
)
from pix2pix.data.sources.pair_names import (
    drop_folder_name,
    files_by_pair_name,
    folders_of,
    match_names,
    pair_path,
    unmatched_message,
)
from pix2pix.data.sources.pair_paths import PairPaths
from pix2pix.data.sources.picture_folders import FolderTree, fold, list_pictures, walk_pictures
from pix2pix.data.sources.side_by_side import are_single_beside, count_sizes, find_single_names, split_by_image
from pix2pix.data.sources.splits import SPLIT_NAMES, FolderLayout, Layout, SplitFiles

FOLDER_PATTERNS = ("{split}{name}", "{name}/{split}", "{split}/{name}", "{split}_{name}")


class SplitSearch:
    """Looks for splits in one folder: for pictures directly in its folders, or also in folders below these."""

    def __init__(
        self,
        tree: FolderTree,
        names: Sequence[str],
        sources: Sequence[int],
        layout: Layout,
        log: FaultLog,
        is_nested: bool,
    ) -> None:
        self.tree, self.names, self.sources, self.layout, self.is_nested = tree, names, sources, layout, is_nested
        self.report = log.report
        # Several patterns give the same folder: each is listed once.
        self.list: Callable[[Path], list[str]] = functools.cache(walk_pictures if is_nested else list_pictures)
        self.notes: list[str] = []
        self.inputs: PairPaths | None = None

    def find_splits(self) -> FolderLayout:
        """All splits in the folder; without any, its pictures are training pairs."""
        splits: dict[Split, SplitFiles] = {}
        for split in ("train", "val", "test"):
            if files := self._find_split(split):
                splits[split] = files
        has_splits = bool(splits)
        # Beside val/ or test/, the training pairs may lie in the folder itself. A search of the folders below it would
        # find those of val/ again.
        may_be_unsplit = not splits or not self.is_nested
        if "train" not in splits and may_be_unsplit and (files := self._find_split("")):
            splits["train"] = files
        self._leave_out_singles(splits)
        return FolderLayout(self.tree.root, splits, self.notes, has_splits, self.inputs)

    def _find_split(self, split: Split | Literal[""]) -> SplitFiles | None:
        """The pairs of one split in the first place that has files; the split "" is the folder itself."""
        words = SPLIT_NAMES[split]
        if self.layout != "side_by_side":
            for word, pattern in itertools.product(words, FOLDER_PATTERNS):
                found = [self._list_image(pattern, word, name) for name in self.names]
                folders, files = [folder for folder, _ in found], [files for _, files in found]
                if any(files):
                    return self._match(split, folders, files)
            for word in words:
                if found := self._find_in_one_folder(split, self.tree.find(word)):
                    return found
        if self.layout == "two_folders" or (self.is_nested and not split):
            return None
        return next(filter(None, (self._find_side_by_side(self.tree.find(word)) for word in words)), None)

    def _list_image(self, pattern: str, word: str, name: str) -> tuple[Path, list[str]]:
        """The folder of an image and its pictures. Of gtFine_color, if need be those of `gtFine` that end so."""
        folder = self.tree.find(pattern.format(split=word, name=name).strip("/_"))
        files = self.list(folder)
        outer, mark, _ = name.rpartition("_")
        if files or not (outer and mark):
            return folder, files
        folder = self.tree.find(pattern.format(split=word, name=outer).strip("/_"))
        return folder, [file for file in self.list(folder) if fold(drop_suffix(file)).endswith(f"_{fold(name)}")]

    def _find_in_one_folder(self, split: Split | Literal[""], folder: Path) -> SplitFiles | None:
        """Pairs in folders below, train/sequence/A and train/sequence/B, or named by their image, 1_A and 1_B."""
        files = self.list(folder)
        if self.is_nested:
            inner = [[name for name in files if fold(each) in folders_of(name)] for each in self.names]
            if all(inner):
                return self._match(split, [folder] * len(inner), inner, drop_folder=True)
        named = split_by_image(files, self.names) if files else None
        if named and all(named):
            return self._pair(split, [folder] * len(named), named)
        return None

    def _match(
        self, split: str, folders: Sequence[Path], files: Sequence[list[str]], drop_folder: bool = False
    ) -> SplitFiles | None:
        """Matches files by their names, in the natural order of the first folder's."""
        by_pair_name, listed = [], [natsorted(files[0]), *files[1:]]
        for folder, files_of_folder, image_name in zip(folders, listed, self.names, strict=True):
            named = self._name_files(folder, files_of_folder, image_name)
            if drop_folder:
                named = {drop_folder_name(pair_name, image_name): file for pair_name, file in named.items()}
            by_pair_name.append(named)
        return self._pair(split, folders, match_names(by_pair_name, self.names))

    def _name_files(self, folder: Path, files: Sequence[str], image_name: str = "") -> dict[str, str]:
        return files_by_pair_name(folder, files, functools.partial(pair_path, folder=image_name), self.report)

    def _pair(self, split: str, folders: Sequence[Path], by_pair_name: list[dict[str, str]]) -> SplitFiles | None:
        """The pairs of all names; inputs of a split other than train may be without targets."""
        place = " and ".join(dict.fromkeys(f"{self._relative_path(folder)}/" for folder in folders))
        if split in {"val", "test"} and not all(by_pair_name):
            self._note_missing_partners(folders, by_pair_name)
            return None
        if split == "test":
            by_pair_name = self._leave_out_single_inputs(folders, by_pair_name)
        if any(named.keys() != by_pair_name[0].keys() for named in by_pair_name):
            by_pair_name = self._report_unmatched(folders, by_pair_name)
        pair_names = list(by_pair_name[0])
        files = [[named[name] for name in pair_names] for named in by_pair_name]
        if error := find_same_folder(folders, files, place):
            self.report(Fault("layout", error))
        shown_names = pair_names if self.is_nested else None
        return SplitFiles(PairPaths(folders, files, shown_names, self.names[0]), place) if pair_names else None

    def _report_unmatched(self, folders: Sequence[Path], named: list[dict[str, str]]) -> list[dict[str, str]]:
        """Reports files without a partner, and returns the others."""
        shared = set.intersection(*(set(files) for files in named))
        alone = [
            folder / files[key]
            for folder, files in zip(folders, named, strict=True)
            for key in natsorted(files.keys() - shared)
        ]
        message = unmatched_message(self.tree.root, [self._relative_path(folder) for folder in folders], named)
        self.report(Fault("unmatched", ValueError(message), alone))
        return [{key: file for key, file in files.items() if key in shared} for files in named]

    def _note_missing_partners(self, folders: Sequence[Path], named: list[dict[str, str]]) -> None:
        """Keeps inputs whose targets' folder is empty, and notes that other pictures without partners are left out."""
        targets = [files for n, files in enumerate(named) if n not in self.sources]
        if all(named[n] for n in self.sources) and not any(targets):
            self._keep_inputs(folders, named, set.intersection(*(set(named[n]) for n in self.sources)))
            return
        self.notes.append(describe_missing_partners([f"{self._relative_path(folder)}/" for folder in folders], named))

    def _leave_out_single_inputs(self, folders: Sequence[Path], named: list[dict[str, str]]) -> list[dict[str, str]]:
        """Keeps test inputs without targets apart from the pairs, if every other file has its partners."""
        # A pair has all targets. Inputs that have all their own parts but not all targets were made without them.
        with_targets = set.intersection(*(set(files) for n, files in enumerate(named) if n not in self.sources))
        alone = set.intersection(*(set(named[n]) for n in self.sources)) - with_targets
        if not alone or not all(set(files) <= with_targets | alone for files in named):
            return named
        self._keep_inputs(folders, named, alone)
        return [{key: file for key, file in files.items() if key in with_targets} for files in named]

    def _keep_inputs(self, folders: Sequence[Path], named: list[dict[str, str]], names: Set[str]) -> None:
        keys, first = natsorted(names), self.sources[0]
        files = [[named[n][key] for key in keys] for n in self.sources]
        of_sources, shown_names = [folders[n] for n in self.sources], keys if self.is_nested else None
        self.inputs = PairPaths(of_sources, files, shown_names, self.names[first])
        self.notes.append(describe_inputs(len(keys), f"{self._relative_path(folders[first])}/"))

    def _find_side_by_side(self, folder: Path) -> SplitFiles | None:
        names = list(self._name_files(folder, natsorted(self.list(folder))).values())
        if not names:
            return None
        if self.is_nested and self.layout == "auto" and (fault := find_images_below(folder, names)):
            self.report(fault)
            return None
        sizes = count_sizes(folder, names, self.report)
        if self.layout == "auto" and (fault := find_single_names(folder, names, sizes)):
            self.report(fault)
            return None
        keys = [pair_path(name, self.names[0]) for name in names] if self.is_nested else None
        shown = "the folder itself" if folder == self.tree.root else f"{self._relative_path(folder)}/"
        return SplitFiles(PairPaths([folder], [names], keys, self.names[0]), shown, True, sizes)

    def _leave_out_singles(self, splits: dict[Split, SplitFiles]) -> None:
        """Leaves out val and test files that are inputs alone; refuses training files that are single pictures."""
        train = splits.get("train")
        if self.layout != "auto" or train is None or not train.is_side_by_side:
            return
        for split in ("val", "test"):
            files = splits.get(split)
            if files is None or not files.is_side_by_side:
                continue
            if are_single_beside(files.sizes, train.sizes):
                self.inputs = splits.pop(split).files  # pyright: ignore[reportArgumentType]
                self.notes.append(describe_single_inputs(files, train))
            elif are_single_beside(train.sizes, files.sizes):
                self.report(describe_single_pictures(self.tree.root, files, train))

    def _relative_path(self, folder: Path) -> str:
        return folder.relative_to(self.tree.root).as_posix()
