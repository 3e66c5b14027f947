"""Finds the single pictures of a folder, from which pairs are derived, by split."""

from pathlib import Path
from typing import get_args

from natsort import natsorted

from pix2pix.data.images.picture_files import drop_suffix
from pix2pix.data.pair import Split
from pix2pix.data.sources.faults import Report, raise_fault
from pix2pix.data.sources.folder_layout import find_layout
from pix2pix.data.sources.image_spec import OWN_FOLDERS
from pix2pix.data.sources.pair_names import files_by_pair_name, pair_name
from pix2pix.data.sources.pair_paths import PairPaths
from pix2pix.data.sources.picture_folders import FolderTree, walk_pictures
from pix2pix.data.sources.splits import SPLIT_NAMES, FolderLayout, SplitFiles


def find_single_pictures(path: Path, report: Report = raise_fault) -> FolderLayout:
    """The pictures below the folders train/, val/ and test/ of `path`; without a train/, all others are of train.

    Args:
        path: the folder.
        report: takes each fault. By default it raises the first.

    Raises:
        FileNotFoundError: when there is no such folder, or no picture in it.
        ValueError: for a folder of pairs, and for two pictures of one name.
    """
    if not path.is_dir():
        raise FileNotFoundError(f"no folder {str(path)!r} with pictures. Name one (data.path).")
    tree, found = FolderTree(path), FolderLayout(path)
    for split in get_args(Split):
        folders = [tree.find(name) for name in SPLIT_NAMES[split]]
        if listed := next(((folder, names) for folder in folders if (names := walk_pictures(folder))), None):
            found.splits[split] = SplitFiles(_name(*listed, report), split)
    if "train" not in found.splits:
        taken = [files.files.folders[0] for files in found.splits.values()]
        others = [name for name in walk_pictures(path) if not any((path / name).is_relative_to(each) for each in taken)]
        if not others:
            raise FileNotFoundError(f"no pictures in {str(path)!r}, nor in its folder train/.")
        found.has_splits = bool(taken)
        found.splits["train"] = SplitFiles(_name(path, others, report), "train")
    return found


def _name(folder: Path, names: list[str], report: Report) -> PairPaths:
    """The pictures, in natural order, with their names. Reports those of one name; the first of them counts."""
    if all("/" in name for name in names):
        _require_no_pairs(folder)
    named = files_by_pair_name(folder, natsorted(names), drop_suffix, report)
    # The name of a pair has no letter A or B at its end, unless two would be one without it.
    is_flat = len({pair_name(key) for key in named}) == len(named) and not any("/" in key for key in named)
    return PairPaths([folder], [list(named.values())], None if is_flat else list(named))


def _require_no_pairs(folder: Path) -> None:
    """Raises ValueError for pictures in A/ and B/: inputs and targets are not pictures of one kind."""
    pairs = find_layout(folder, list(OWN_FOLDERS), [0], "two_folders", report=lambda fault: None)
    if pairs.splits:
        _, of_b = next(iter(pairs.splits.values())).files.folders
        raise ValueError(
            f"{folder}: holds pairs, in folders for A and B. Name the folder of the pictures alone, such as {of_b}; "
            "or train on the pairs, with data=folder."
        )
