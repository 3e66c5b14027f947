"""Lists the pairs of a data set with the reader of training, which reports all faults instead of raising the first."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, get_args

from natsort import natsorted

from pix2pix.core.plurals import pluralize
from pix2pix.data.direction import Direction, Letter
from pix2pix.data.images.decode import SUFFIXES
from pix2pix.data.images.picture_files import drop_suffix
from pix2pix.data.pair import Split
from pix2pix.data.sources.describe_splits import NO_BORDER, find_doubts
from pix2pix.data.sources.faults import Fault
from pix2pix.data.sources.folder import find_pairs, require_folder
from pix2pix.data.sources.picture_folders import list_subfolders, walk_pictures
from pix2pix.data.sources.side_by_side import PICTURES_VIEWED
from pix2pix.data.sources.splits import SPLIT_NAMES, FolderLayout
from pix2pix.datasets.check.findings import Finding

FolderNames = Mapping[Letter, Sequence[str]]
Tries = Mapping[Direction, tuple[FolderLayout, Sequence[Fault]]]  # what each direction finds
OWN_NAMES: FolderNames = {"A": ("A",), "B": ("B",)}
# Pictures of other programs, which no part of pix2pix reads.
UNREAD = (".heic", ".heif", ".jxl", ".tga", ".exr", ".dng", ".svg")
SPLIT_WORDS = "|".join(word for words in SPLIT_NAMES.values() for word in words if word)


class ScannedPair(NamedTuple):
    """The files of a pair: (file,) if it has A and B side by side, else the files of A and those of B."""

    split: Split
    name: str
    files: tuple[Path, ...]


class FolderScan(NamedTuple):
    """The pairs of a data set, and the faults of its file names and folders.

    Args:
        path: the folder, or the table that lists the pairs.
        folders: the names of A's and of B's folders.
        pairs: those of all splits.
        findings: the faults.
        direction: the only one in which the files can be trained on; None for either.
    """

    path: Path
    folders: FolderNames
    pairs: list[ScannedPair]
    findings: list[Finding]
    direction: Direction | None = None

    @property
    def root(self) -> Path:
        """The folder that holds all files."""
        return self.path if self.path.is_dir() else self.path.parent

    def count_pairs(self) -> dict[str, int]:
        """The number of pairs in each split that has any."""
        splits = [pair.split for pair in self.pairs]
        return {split: splits.count(split) for split in get_args(Split) if split in splits}


def scan_folder(path: Path, folders: FolderNames | None = None) -> FolderScan:
    """Lists the pairs of a folder, or of a table of pairs.

    Args:
        path: the folder or the table.
        folders: the names of A's and of B's folders; None for A and B, or those that the data seem to have.

    Raises:
        FileNotFoundError: when there is no such folder.
    """
    require_folder(path)
    own = _find_both_ways(path, folders or OWN_NAMES)
    for guessed in _guess_folders(path, *own["AtoB"]) if folders is None else ():
        scan = _choose_direction(path, guessed, _find_both_ways(path, guessed))
        if scan.pairs:
            return scan
    return _choose_direction(path, folders or OWN_NAMES, own)


def _find_both_ways(path: Path, folders: FolderNames) -> Tries:
    return {direction: _find(path, folders, direction) for direction in get_args(Direction)}


def _choose_direction(path: Path, folders: FolderNames, tries: Tries) -> FolderScan:
    """The scan in the direction with fewer faults: test inputs may lack targets, but not the other way round."""
    faults = {direction: len(tried[1]) for direction, tried in tries.items()}
    best: Direction = "AtoB" if faults["AtoB"] <= faults["BtoA"] else "BtoA"
    found, reported = tries[best]
    pairs = list(_list_pairs(found))
    findings = [*_merge_faults(reported), *_check_notes(found), *_check_splits(pairs), *_check_unread(path, pairs)]
    return FolderScan(path, folders, pairs, findings, best if faults["AtoB"] != faults["BtoA"] else None)


def _find(path: Path, folders: FolderNames, direction: Direction) -> tuple[FolderLayout, list[Fault]]:
    faults: list[Fault] = []
    try:
        found = find_pairs(path, folders["A"], folders["B"], direction, report=faults.append)
    except (ValueError, OSError) as error:  # an error that leaves no pairs to list, such as a table without columns
        return FolderLayout(path), [*faults, Fault("layout", error)]
    if "train" not in found.splits and not faults:
        message = "there are no training pairs. Put them in train/, or trainA/ and trainB/."
        faults.append(Fault("no-train", ValueError(message)))
    return found, faults


def _guess_folders(path: Path, found: FolderLayout, faults: Sequence[Fault]) -> Iterator[FolderNames]:
    """The folders that the data may have, if those named A and B hold no training pairs."""
    if "train" in found.splits:
        return
    named = next((fault.folders for fault in faults if fault.folders), None)
    for names in filter(None, (named, _guess_names(path))):
        yield {"A": names[:1], "B": names[1:]}


def _guess_names(path: Path) -> tuple[str, str] | None:
    """The names of A's and B's folders, where all folders have one of two names beside that of a split."""
    folders = [folder.name for folder in list_subfolders(path) if walk_pictures(folder)]
    names = {re.sub(f"^({SPLIT_WORDS})[_-]?|[_-]?({SPLIT_WORDS})$", "", name, flags=re.IGNORECASE) for name in folders}
    if len(names) != 2 or "" in names:
        return None
    a, b = (_name_one_kind(path, name) for name in natsorted(names))
    return a, b


def _name_one_kind(path: Path, name: str) -> str:
    """The name of a folder; where it holds pictures of several kinds, `1_gtFine_color.png`, that of the first kind."""
    stems = [drop_suffix(file) for file in walk_pictures(path)]
    kinds = {stem.rpartition(f"_{name}_")[2] for stem in stems if f"_{name}_" in stem}
    return f"{name}_{natsorted(kinds)[0]}" if kinds and not any(stem.endswith(f"_{name}") for stem in stems) else name


def _list_pairs(found: FolderLayout) -> Iterator[ScannedPair]:
    for split, each in found.splits.items():
        for number, files in enumerate(each.files):
            yield ScannedPair(split, each.files.pair_name(number), files)


def _merge_faults(faults: Sequence[Fault]) -> Iterator[Finding]:
    """A finding for each kind of fault. Odd widths are found when the files are measured."""
    files: dict[str, list[Path]] = defaultdict(list)
    for fault in faults:
        files[fault.kind] += fault.files
    if alone := files["unmatched"]:
        message = f"{pluralize(len(alone), 'picture has', 'pictures have')} no partner of the same name"
        remedy = "Rename or remove them, or pair them again: pix2pix data prepare pairs."
        yield Finding("error", "unmatched", message, remedy, alone)
    if alike := list(dict.fromkeys(files["same-name"])):
        message = f"{len(alike)} pictures share their names with others of the same folder"
        yield Finding("error", "same-name", message, "Rename or remove all but one of each name.", alike)
    for fault in faults:
        if fault.kind not in {"unmatched", "same-name", "odd-width"}:
            yield Finding.from_error("error", fault.kind, fault.error)


def _check_notes(found: FolderLayout) -> Iterator[Finding]:
    for note in found.notes:
        yield Finding("note", "left-out", note, "Nothing, if that is meant.")
    train = found.splits.get("train")
    if train is None:
        return
    for doubt in find_doubts(train):
        is_certain = doubt.startswith(NO_BORDER) and len(train.files) >= PICTURES_VIEWED
        yield Finding.from_error("error" if is_certain else "warning", "no-seam", doubt)


def _check_splits(pairs: Sequence[ScannedPair]) -> Iterator[Finding]:
    splits = {pair.split for pair in pairs}
    if splits == {"train"} and len(pairs) > 1:
        message = "there is no val split: training holds out a tenth of the pairs"
        yield Finding("note", "no-val", message, "For a split of your own: pix2pix data prepare split.")
    elif len(pairs) == 1:
        yield Finding("error", "one-pair", "one pair alone cannot be split into training and validation", "Add pairs.")


def _check_unread(path: Path, pairs: Sequence[ScannedPair]) -> Iterator[Finding]:
    """Reports files and folders that look like data but are not read."""
    folders = {file.parent for pair in pairs for file in pair.files} or {path}
    inside = [folder for folder in natsorted(folders, key=str) if folder.is_dir()]
    unread = [f for folder in inside for f in natsorted(folder.iterdir(), key=str) if f.suffix.lower() in UNREAD]
    if unread:
        message = f"{pluralize(len(unread), 'file is', 'files are')} of a kind that is not read"
        yield Finding("warning", "not-read", message, f"Convert them to one of {', '.join(SUFFIXES)}.", unread)
    if not pairs or not path.is_dir():
        return
    used = {file for pair in pairs for file in pair.files}
    beside = [path / name for name in natsorted(walk_pictures(path)) if path / name not in used]
    beside = [file for file in beside if file.parent not in folders and file.parent != path]
    if beside:
        places = natsorted({file.parent.relative_to(path).as_posix() for file in beside})
        message = f"{pluralize(len(beside), 'picture', 'pictures')} in {', '.join(places[:4])} not read"
        yield Finding("warning", "nested", message, "Move them into the folders of a split, if they are pairs.", beside)
