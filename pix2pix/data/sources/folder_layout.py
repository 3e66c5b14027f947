"""Finds the files of each pair in a dataset folder."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from natsort import natsorted

from pix2pix.data.images.decode import SUFFIXES
from pix2pix.data.pair import Split
from pix2pix.data.sources.faults import Fault, Report, raise_fault
from pix2pix.data.sources.pair_names import files_by_pair_name, match_names, unmatched_message
from pix2pix.data.sources.pair_paths import PairPaths
from pix2pix.data.sources.picture_folders import (
    FolderTree,
    fold,
    list_pictures,
    list_subfolders,
    walk_pictures,
)
from pix2pix.data.sources.side_by_side import (
    are_single_beside,
    count_sizes,
    find_single_names,
    split_by_image,
)
from pix2pix.data.sources.splits import SPLIT_NAMES, Layout, SplitFiles

LAYOUTS = ("{split}{name}", "{name}/{split}", "{split}/{name}", "{split}_{name}")
DEEPEST = 3  # folders within folders in which a data set is looked for
PLACES_SHOWN = 4


@dataclass
class FolderLayout:
    """The pairs of a data set as they lie in its folder.

    Args:
        root: the folder that holds them.
        splits: those that were found.
        notes: what was left out, a sentence each.
        has_splits: whether the pairs are split; all pairs of a folder without splits are training pairs.
    """

    root: Path
    splits: dict[Split, SplitFiles] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    has_splits: bool = True


def find_layout(
    path: Path,
    names: Sequence[str],
    sources: Sequence[int],
    layout: Layout = "auto",
    report: Report = raise_fault,
) -> FolderLayout:
    """The splits of a data set. See `PairFolder` for where they are looked for.

    Args:
        path: the folder.
        names: of the folders of A and of B.
        sources: the places in `names` of the source's folders.
        layout: side by side, in two folders, or whichever is found.
        report: takes each fault. By default it raises the first.

    Raises:
        FileNotFoundError: when there are no pairs.
        ValueError: when names do not match, or files cannot be side by side.
    """
    faults: list[Fault] = []

    def note_fault(fault: Fault) -> None:
        faults.append(fault)
        report(fault)

    found = _find_layout(path, names, sources, layout, note_fault, DEEPEST) or FolderLayout(path)
    if not found.splits and not faults:
        message = " ".join([_no_pictures_message(path, names), *found.notes])
        report(Fault("empty", FileNotFoundError(message)))
    return found


def _find_layout(
    path: Path, names: Sequence[str], sources: Sequence[int], layout: Layout, report: Report, depth: int
) -> FolderLayout | None:
    """The same, in a folder of `path` where that holds nothing itself; None where there are no pictures."""
    for is_nested in (False, True):
        search = _Search(FolderTree(path), names, sources, layout, report, is_nested)
        found = search.find_splits()
        if found.splits or found.notes or search.has_faults:
            return found
    if depth == 0:
        return None
    inner = [
        (folder, _find_layout(folder, names, sources, layout, report, depth - 1)) for folder in list_subfolders(path)
    ]
    holding = [(folder, found) for folder, found in inner if found]
    if len(holding) > 1:
        report(_describe_several(path, [folder for folder, _ in holding]))
        return FolderLayout(path)
    return holding[0][1] if holding else None


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
        self.list: Callable[[Path], list[str]] = walk_pictures if is_nested else list_pictures
        self.notes: list[str] = []

    def report(self, fault: Fault) -> None:
        """Reports a fault, and remembers that there was one."""
        self.has_faults = True
        self._report(fault)

    def find_splits(self) -> FolderLayout:
        """All splits that are there; a folder without splits holds training pairs."""
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
            inner = [[name for name in files if fold(each) in _folders_of(name)] for each in self.names]
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
        ordered = [natsorted(files[0]), *files[1:]]
        if drop_folder:
            named = [
                {_drop_folder(key, name): file for key, file in self._name_files(folder, each, name).items()}
                for folder, each, name in zip(folders, ordered, self.names, strict=True)
            ]
        else:
            parts = zip(folders, ordered, self.names, strict=True)
            named = [self._name_files(folder, each, name) for folder, each, name in parts]
        return self._pair(split, folders, match_names(named, self.names))

    def _name_files(self, folder: Path, files: Sequence[str], name: str = "") -> dict[str, str]:
        return files_by_pair_name(folder, files, name, self.report)

    def _pair(self, split: str, folders: Sequence[Path], named: list[dict[str, str]]) -> SplitFiles | None:
        """The pairs of all names; inputs of a split other than train may be without targets."""
        place = " and ".join(dict.fromkeys(f"{self._relative_name(folder)}/" for folder in folders))
        matched = self._leave_out_unpaired(split, folders, named)
        if matched is None:
            return None
        named = matched
        if any(keys.keys() != named[0].keys() for keys in named):
            named = self._report_unmatched(folders, named)
        names = [[files[key] for key in named[0]] for files in named]
        if error := _find_same_folder(folders, names, place):
            self.report(Fault("layout", error))
        if not names[0]:
            return None
        return SplitFiles(PairPaths(folders, names, list(named[0]) if self.is_nested else None), place)

    def _report_unmatched(self, folders: Sequence[Path], named: list[dict[str, str]]) -> list[dict[str, str]]:
        """Reports files without a partner, and returns the others."""
        shared = set.intersection(*(set(files) for files in named))
        alone = [
            folder / files[key]
            for folder, files in zip(folders, named, strict=True)
            for key in natsorted(files.keys() - shared)
        ]
        message = unmatched_message(self.tree.root, [self._relative_name(folder) for folder in folders], named)
        self.report(Fault("unmatched", ValueError(message), alone))
        return [{key: file for key, file in files.items() if key in shared} for files in named]

    def _leave_out_unpaired(
        self, split: str, folders: Sequence[Path], named: list[dict[str, str]]
    ) -> list[dict[str, str]] | None:
        """Without the inputs that have no target, which training does not need; None where there is no pair."""
        empty = [self._relative_name(folder) for folder, files in zip(folders, named, strict=True) if not files]
        full = [f"{self._relative_name(folder)}/" for folder, files in zip(folders, named, strict=True) if files]
        if split in {"val", "test"} and empty:
            count = max(map(len, named))
            self.notes.append(f"{' and '.join(full)} {_have(count)} no partners in {'/, '.join(empty)}/: left out")
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
        if self.is_nested and self.layout == "auto" and (fault := _find_images_below(folder, names)):
            self.report(fault)
            return None
        sizes = count_sizes(folder, names, self.report)
        if self.layout == "auto" and (fault := find_single_names(folder, names, sizes)):
            self.report(fault)
            return None
        keys = [name.rpartition(".")[0] for name in names] if self.is_nested else None
        shown = "the folder itself" if folder == self.tree.root else f"{self._relative_name(folder)}/"
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
                self.notes.append(
                    f"{files.place} holds {len(files.files)} single pictures, half as wide as the pairs of "
                    f"{train.place}: inputs without targets, left out (data.layout=side_by_side takes them as pairs)"
                )
            elif are_single_beside(train.sizes, files.sizes):
                message = (
                    f"{self.tree.root}: the files of {train.place} are half as wide as those of {files.place}: single "
                    "pictures, not pairs side by side. Put A and B into two folders, trainA/ and trainB/, or set "
                    "data.layout=side_by_side."
                )
                self.report(Fault("layout", ValueError(message)))

    def _relative_name(self, folder: Path) -> str:
        return folder.relative_to(self.tree.root).as_posix()


def _folders_of(name: str) -> list[str]:
    return [fold(part) for part in name.split("/")[:-1]]


def _drop_folder(key: str, folder: str) -> str:
    """The name of a pair without the folder of its image: seq1/001 for seq1/blur/001."""
    parts = key.split("/")
    at = max(n for n, part in enumerate(parts[:-1]) if fold(part) == fold(folder))
    return "/".join([*parts[:at], *parts[at + 1 :]])


def _have(count: int) -> str:
    return f"holds {count} {'picture' if count == 1 else 'pictures'} with"


def _find_same_folder(folders: Sequence[Path], names: Sequence[list[str]], place: str) -> ValueError | None:
    """The error where the files of A are those of B."""
    for (one, of_one), (other, of_other) in itertools.combinations(zip(folders, names, strict=True), 2):
        if of_one == of_other and one.resolve() == other.resolve():
            return ValueError(
                f"{place} is the folder of both A and B: each picture would be its own partner. Name two folders, as "
                "in 'data.folders={A: blur, B: sharp}'."
            )
    return None


def _find_images_below(folder: Path, names: Sequence[str]) -> Fault | None:
    """The fault of folders that hold files of the same names: those of A and of B, under other names."""
    below: dict[str, set[str]] = {}
    for name in names:
        place, _, file = name.rpartition("/")
        below.setdefault(place, set()).add(file.rpartition(".")[0])
    last = {place.rpartition("/")[2] for place in below}
    alike = [
        set(below) == {one, other} and below[one] == below[other] for one, other in itertools.combinations(below, 2)
    ]
    if any(alike) or (len(last) == 2 and len(below) > 2 and len(below) % 2 == 0):
        a, b = natsorted(last)[:2] if len(last) == 2 else natsorted(below)[:2]
        message = (
            f"{folder}: its pictures lie in folders {a}/ and {b}/. Set 'data.folders={{A: {a}, B: {b}}}' (A is the "
            "input) if these are the two images of a pair, or data.layout=side_by_side if each file holds both."
        )
        return Fault("layout", ValueError(message), folders=(a, b))
    return None


def _describe_several(path: Path, folders: Sequence[Path]) -> Fault:
    """The fault of a folder that holds several which might be the data set, or the two images of its pairs."""
    shown = ", ".join(f"{folder.name}/" for folder in folders[:PLACES_SHOWN])
    message = f"{path}: holds pictures in {len(folders)} folders, {shown}. Set data.path to the one that is meant"
    names = None
    if len(folders) == 2:
        a, b = names = folders[0].name, folders[1].name
        message += f", or 'data.folders={{A: {a}, B: {b}}}' (A is the input) if they hold the two images of each pair"
    return Fault("layout", ValueError(f"{message}."), folders=names)


def _no_pictures_message(path: Path, names: Sequence[str]) -> str:
    places = natsorted({name.rpartition("/")[0] for name in walk_pictures(path)})
    deeper = f" Pictures lie deeper, in {', '.join(f'{place}/' for place in places[:PLACES_SHOWN])}." if places else ""
    return (
        f"no pictures in {str(path)!r}: expected train/ and val/ with side-by-side files, or "
        f"{', '.join(f'train{name}/' for name in names)} ... "
        f"(other names: data.folders).{deeper} Known suffixes: {', '.join(SUFFIXES)}."
    )
