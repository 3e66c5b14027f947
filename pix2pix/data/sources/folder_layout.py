"""Finds the files of each pair in a dataset folder."""

import functools
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from natsort import natsorted

from pix2pix.data.pair import Split
from pix2pix.data.sources.faults import Fault, Report, raise_fault
from pix2pix.data.sources.layout_faults import (
    describe_several,
    describe_single_inputs,
    describe_single_pictures,
    find_images_below,
    find_same_folder,
    no_pictures_message,
)
from pix2pix.data.sources.pair_names import (
    drop_folder_name,
    files_by_pair_name,
    folders_of,
    match_names,
    unmatched_message,
)
from pix2pix.data.sources.pair_paths import PairPaths
from pix2pix.data.sources.picture_folders import FolderTree, fold, list_pictures, list_subfolders, walk_pictures
from pix2pix.data.sources.side_by_side import are_single_beside, count_sizes, find_single_names, split_by_image
from pix2pix.data.sources.splits import SPLIT_NAMES, FolderLayout, Layout, SplitFiles

LAYOUTS = ("{split}{name}", "{name}/{split}", "{split}/{name}", "{split}_{name}")
MAX_DEPTH = 3  # levels of folders that are searched for a data set


def find_layout(
    path: Path, names: Sequence[str], sources: Sequence[int], layout: Layout = "auto", report: Report = raise_fault
) -> FolderLayout:
    """The splits of a data set. `PairFolder` describes where they may be.

    Args:
        path: the folder.
        names: the names of the folders of A and of B.
        sources: the positions in `names` of the source's folders.
        layout: side by side, in two folders, or what is found first.
        report: takes each fault. By default it raises the first.

    Raises:
        FileNotFoundError: when there are no pairs.
        ValueError: when names do not match, or files cannot be side by side.
    """
    faults: list[Fault] = []

    def note_fault(fault: Fault) -> None:
        faults.append(fault)
        report(fault)

    found = _find_layout(path, names, sources, layout, note_fault, MAX_DEPTH) or FolderLayout(path)
    if not found.splits and not faults:
        message = " ".join([no_pictures_message(path, names), *found.notes])
        report(Fault("empty", FileNotFoundError(message)))
    return found


def _find_layout(
    path: Path, names: Sequence[str], sources: Sequence[int], layout: Layout, report: Report, depth: int
) -> FolderLayout | None:
    """The splits in `path` or, if it has none, in the folders below it; None if there are no pictures."""
    tree = FolderTree(path)
    for is_nested in (False, True):
        search = _Search(tree, names, sources, layout, report, is_nested)
        found = search.find_splits()
        if found.splits or found.notes or search.has_faults:
            return found
    if depth == 0:
        return None
    folders = list_subfolders(path)
    inner = [(folder, _find_layout(folder, names, sources, layout, report, depth - 1)) for folder in folders]
    candidates = [(folder, found) for folder, found in inner if found]
    if len(candidates) > 1:
        report(describe_several(path, [folder for folder, _ in candidates]))
        return FolderLayout(path)
    return candidates[0][1] if candidates else None


class _Search:
    """Looks for splits in one folder: for pictures directly in its folders, or also in folders below these."""

    def __init__(
        self,
        tree: FolderTree,
        names: Sequence[str],
        sources: Sequence[int],
        layout: Layout,
        report: Report,
        is_nested: bool,
    ) -> None:
        self.tree, self.names, self.sources, self.layout, self.is_nested = tree, names, sources, layout, is_nested
        self._report, self.has_faults = report, False
        # Several layouts look into one folder: each is listed once.
        self.list: Callable[[Path], list[str]] = functools.cache(walk_pictures if is_nested else list_pictures)
        self.notes: list[str] = []

    def report(self, fault: Fault) -> None:
        """Reports a fault, and remembers that there was one."""
        self.has_faults = True
        self._report(fault)

    def find_splits(self) -> FolderLayout:
        """All splits in the folder; without any, its pictures are training pairs."""
        splits: dict[Split, SplitFiles] = {}
        for split in ("train", "val", "test"):
            if files := self._find_split(split):
                splits[split] = files
        has_splits = bool(splits)
        if "train" not in splits and (not splits or not self.is_nested) and (files := self._find_split("")):
            splits["train"] = files
        self._leave_out_singles(splits)
        return FolderLayout(self.tree.root, splits, self.notes, has_splits)

    def _find_split(self, split: Split | Literal[""]) -> SplitFiles | None:
        """The pairs of one split in the first layout that has files; the split "" is the folder itself."""
        words = SPLIT_NAMES[split]
        if self.layout != "side_by_side":
            for word, layout in itertools.product(words, LAYOUTS):
                folders = [self.tree.find(layout.format(split=word, name=name).strip("/_")) for name in self.names]
                files = [self.list(folder) for folder in folders]
                if any(files):
                    return self._match(split, folders, files)
            for word in words:
                if found := self._find_in_one_folder(split, self.tree.find(word)):
                    return found
        if self.layout == "two_folders" or (self.is_nested and not split):
            return None
        return next(filter(None, (self._find_side_by_side(self.tree.find(word)) for word in words)), None)

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
        parts = zip(folders, [natsorted(files[0]), *files[1:]], self.names, strict=True)
        by_name = [self._name_files(folder, names, image) for folder, names, image in parts]
        if drop_folder:
            images = zip(by_name, self.names, strict=True)
            by_name = [{drop_folder_name(key, image): file for key, file in keys.items()} for keys, image in images]
        return self._pair(split, folders, match_names(by_name, self.names))

    def _name_files(self, folder: Path, files: Sequence[str], name: str = "") -> dict[str, str]:
        return files_by_pair_name(folder, files, name, self.report)

    def _pair(self, split: str, folders: Sequence[Path], files: list[dict[str, str]]) -> SplitFiles | None:
        """The pairs of all names; inputs of a split other than train may be without targets."""
        place = " and ".join(dict.fromkeys(f"{self._relative_path(folder)}/" for folder in folders))
        if (by_name := self._leave_out_unpaired(split, folders, files)) is None:
            return None
        if any(keys.keys() != by_name[0].keys() for keys in by_name):
            by_name = self._report_unmatched(folders, by_name)
        names = [[keys[name] for name in by_name[0]] for keys in by_name]
        if error := find_same_folder(folders, names, place):
            self.report(Fault("layout", error))
        pair_names = list(by_name[0]) if self.is_nested else None
        return SplitFiles(PairPaths(folders, names, pair_names), place) if names[0] else None

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

    def _leave_out_unpaired(
        self, split: str, folders: Sequence[Path], named: list[dict[str, str]]
    ) -> list[dict[str, str]] | None:
        """Without the inputs that have no target, which training does not need; None where there is no pair."""
        empty = [self._relative_path(folder) for folder, files in zip(folders, named, strict=True) if not files]
        full = [f"{self._relative_path(folder)}/" for folder, files in zip(folders, named, strict=True) if files]
        if split in {"val", "test"} and empty:
            count = max(map(len, named))
            holds = f"holds {count} {'picture' if count == 1 else 'pictures'}"
            self.notes.append(f"{' and '.join(full)} {holds} with no partners in {'/, '.join(empty)}/: left out")
            return None
        shared = set.intersection(*(set(files) for n, files in enumerate(named) if n not in self.sources))
        alone = set.intersection(*(set(named[n]) for n in self.sources)) - shared
        if split == "test" and alone and all(set(files) <= shared | alone for files in named):
            self.notes.append(f"{len(alone)} inputs in {full[self.sources[0]]} without targets: left out")
            return [{key: file for key, file in files.items() if key in shared} for files in named]
        return named

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
        keys = [name.rpartition(".")[0] for name in names] if self.is_nested else None
        shown = "the folder itself" if folder == self.tree.root else f"{self._relative_path(folder)}/"
        return SplitFiles(PairPaths([folder], [names], keys), shown, True, sizes)

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
                del splits[split]
                self.notes.append(describe_single_inputs(files, train))
            elif are_single_beside(train.sizes, files.sizes):
                self.report(describe_single_pictures(self.tree.root, files, train))

    def _relative_path(self, folder: Path) -> str:
        return folder.relative_to(self.tree.root).as_posix()
