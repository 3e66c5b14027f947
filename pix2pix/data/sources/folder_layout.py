"""Finds the files of each pair in a dataset folder."""

from collections.abc import Sequence
from pathlib import Path

from pix2pix.data.sources.faults import Fault, FaultLog, Report, raise_fault
from pix2pix.data.sources.layout_faults import (
    describe_several,
    no_pictures_message,
)
from pix2pix.data.sources.picture_folders import FolderTree, list_subfolders
from pix2pix.data.sources.split_search import SplitSearch
from pix2pix.data.sources.splits import FolderLayout, Layout

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
    log = FaultLog(report)
    found = _search_below(path, names, sources, layout, log, MAX_DEPTH) or FolderLayout(path)
    if not found.splits and not log.has_faults:
        message = " ".join([no_pictures_message(path, names), *found.notes])
        report(Fault("empty", FileNotFoundError(message)))
    return found


def _search_below(
    path: Path, names: Sequence[str], sources: Sequence[int], layout: Layout, log: FaultLog, depth: int
) -> FolderLayout | None:
    """The splits in `path` or, if it has none, in the folders below it; None if there are no pictures."""
    tree = FolderTree(path)
    for is_nested in (False, True):
        log_here = FaultLog(log.report)
        found = SplitSearch(tree, names, sources, layout, log_here, is_nested).find_splits()
        if found.splits or found.notes or log_here.has_faults:
            return found
    if depth == 0:
        return None
    folders = list_subfolders(path)
    inner = [(folder, _search_below(folder, names, sources, layout, log, depth - 1)) for folder in folders]
    candidates = [(folder, found) for folder, found in inner if found]
    if len(candidates) > 1:
        splits = [files for _, found in candidates for files in found.splits.values()]
        lacking = names if all(files.is_side_by_side for files in splits) else ()
        log.report(describe_several(path, [folder for folder, _ in candidates], lacking))
        return FolderLayout(path)
    return candidates[0][1] if candidates else None
