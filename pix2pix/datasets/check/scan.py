"""Lists the pairs in a folder as training does, but collects all problems instead of stopping at the first."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from natsort import natsorted

from pix2pix.data.images.decode import SUFFIXES
from pix2pix.data.sources.pair_names import pair_name
from pix2pix.data.sources.picture_folders import list_picture_paths
from pix2pix.datasets.check.findings import Finding, pluralize

SPLITS = ("train", "val", "test")
MISNAMED = {"training": "train", "valid": "val", "validation": "val", "dev": "val", "eval": "val", "testing": "test"}
UNREAD = (".gif", ".heic", ".heif", ".jxl", ".tga", ".exr", ".npy", ".dng", ".svg")


class ScannedPair(NamedTuple):
    """The files of a pair: (file,) if it has A and B side by side, else (file of A, file of B)."""

    split: str
    name: str
    files: tuple[Path, ...]


class FolderScan(NamedTuple):
    """The pairs of a folder, and the problems of its file names and folders."""

    path: Path
    pairs: list[ScannedPair]
    findings: list[Finding]

    def count_pairs(self) -> dict[str, int]:
        """The number of pairs in each split that has any."""
        splits = [entry.split for entry in self.pairs]
        return {split: splits.count(split) for split in SPLITS if split in splits}


def scan_folder(path: Path) -> FolderScan:
    """Lists the pairs of a folder. Raises FileNotFoundError if it does not exist."""
    if not path.is_dir():
        raise FileNotFoundError(f"no folder {str(path)!r}. Give the folder of a data set.")
    splits = [_scan_split(path, split, split) for split in SPLITS]
    if not any(splits[0]):
        splits[0] = _scan_split(path, "", "train")
    found = _SplitFiles(*(list(chain(*parts)) for parts in zip(*splits, strict=True)))
    findings = [*_check_names(found), *_check_splits(path, found.pairs), *_check_unread(path, found.pairs)]
    return FolderScan(path, found.pairs, findings)


class _SplitFiles(NamedTuple):
    """The pairs of a split, the files without a partner, and the files that share a name."""

    pairs: list[ScannedPair]
    unmatched: list[Path]
    same_name: list[Path]


def _scan_split(path: Path, folder: str, split: str) -> _SplitFiles:
    for a, b in ((f"{folder}A", f"{folder}B"), (f"A/{folder}", f"B/{folder}"), (f"{folder}/A", f"{folder}/B")):
        if list_picture_paths(path / a) or list_picture_paths(path / b):
            return _match_folders(path / a, path / b, split)
    named, same_name = _group_by_name(path / folder)
    return _SplitFiles([ScannedPair(split, key, (file,)) for key, file in named.items()], [], same_name)


def _match_folders(folder_a: Path, folder_b: Path, split: str) -> _SplitFiles:
    (a, same_name_a), (b, same_name_b) = _group_by_name(folder_a), _group_by_name(folder_b)
    alone = [a[key] for key in a.keys() - b.keys()] + [b[key] for key in b.keys() - a.keys()]
    entries = [ScannedPair(split, key, (a[key], b[key])) for key in a if key in b]
    return _SplitFiles(entries, natsorted(alone, key=str), [*same_name_a, *same_name_b])


def _group_by_name(folder: Path) -> tuple[dict[str, Path], list[Path]]:
    """The first file of each name, and all files that share their name with others."""
    named: dict[str, list[Path]] = defaultdict(list)
    for file in list_picture_paths(folder):
        named[pair_name(file.stem)].append(file)
    same_name = [file for files in named.values() if len(files) > 1 for file in files]
    return {key: files[0] for key, files in named.items()}, same_name


def _check_names(found: _SplitFiles) -> Iterator[Finding]:
    if found.unmatched:
        message = f"{pluralize(len(found.unmatched), 'picture has', 'pictures have')} no partner of the same name"
        remedy = "Rename or remove them, or pair them again: pix2pix data prepare pairs."
        yield Finding("error", "unmatched", message, remedy, found.unmatched)
    if found.same_name:
        message = f"{len(found.same_name)} pictures share their names with others of the same folder"
        yield Finding("error", "same-name", message, "Rename or remove all but one of each name.", found.same_name)


def _check_splits(path: Path, entries: list[ScannedPair]) -> Iterator[Finding]:
    splits = {entry.split for entry in entries}
    if not entries:
        yield Finding(
            "error",
            "empty",
            f"no pairs in {path}: expected train/ and val/ with side-by-side files, or trainA/, trainB/ ...",
            "Make pairs: pix2pix data prepare.",
        )
    elif "train" not in splits:
        yield Finding("error", "no-train", "there are no training pairs", "Put them in train/, or trainA/ and trainB/.")
    elif splits == {"train"} and len(entries) > 1:
        yield Finding(
            "note",
            "no-val",
            "there is no val or test split: training holds out a tenth of the pairs",
            "For a split of your own: pix2pix data prepare split.",
        )
    elif len(entries) == 1:
        yield Finding("error", "one-pair", "one pair alone cannot be split into training and validation", "Add pairs.")


def _check_unread(path: Path, entries: list[ScannedPair]) -> Iterator[Finding]:
    """Reports files and folders that look like data but are not read."""
    folders = {file.parent for entry in entries for file in entry.files} or {path}
    unread = [f for folder in folders for f in natsorted(folder.iterdir(), key=str) if f.suffix.lower() in UNREAD]
    if unread:
        message = f"{pluralize(len(unread), 'file is', 'files are')} of a kind that is not read"
        yield Finding("warning", "not-read", message, f"Convert them to one of {', '.join(SUFFIXES)}.", unread)
    misnamed = [folder for folder in path.iterdir() if folder.is_dir() and folder.name.lower() in MISNAMED]
    for folder in natsorted(misnamed, key=str):
        yield Finding(
            "warning",
            "folder-name",
            f"the folder {folder.name}/ is not read",
            f"Rename it to {MISNAMED[folder.name.lower()]}/.",
            [folder],
        )
    nested = [
        f
        for d in folders - {path}
        for s in d.iterdir()
        if s.is_dir()
        for f in list_picture_paths(s)
        if s not in folders
    ]
    if nested:
        message = (
            f"{pluralize(len(nested), 'picture lies', 'pictures lie')} in folders within a split, which are not read"
        )
        yield Finding("warning", "nested", message, "Move them up into the split's own folder.", nested)
