"""Lists the pictures in folders, and finds folders whatever the case and the Unicode form of their names.

A data set may have a million pairs, so each folder is listed once, and names are kept as they were listed: as many
paths would take a gigabyte.
"""

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from natsort import natsorted

from pix2pix.data.images.decode import SUFFIXES
from pix2pix.data.images.picture_files import require_utf8_names

# What archives, network drives and notebooks leave beside the data; likewise every name that begins with a dot.
IGNORED = {"__macosx", "@eadir", "__pycache__", "$recycle.bin", "system volume information", "lost+found"}


def fold(name: str) -> str:
    """The name in the form in which names that look alike, or differ in case, are equal."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def list_pictures(folder: Path, suffixes: tuple[str, ...] = SUFFIXES) -> list[str]:
    """The names of the pictures directly in `folder`, as the system lists them; ValueError for one that is no UTF-8."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if _is_picture(entry.name, suffixes) and not _is_folder(entry)]
    require_utf8_names(folder, names)
    return names


def _is_picture(name: str, suffixes: tuple[str, ...]) -> bool:
    return name.lower().endswith(suffixes) and name[0] != "."


def list_subfolders(folder: Path) -> list[Path]:
    """The folders directly in `folder` that may hold data, in natural order."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        found = [entry.name for entry in entries if _is_folder(entry) and not _is_ignored(entry.name)]
    return [folder / name for name in natsorted(found)]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    # DirEntry.is_dir raises OSError for a link in a circle; for a broken one it says False.
    return Path(entry).is_dir() if entry.is_symlink() else entry.is_dir()


def _is_ignored(name: str) -> bool:
    return name.startswith(".") or name.lower() in IGNORED


def walk_pictures(folder: Path, suffixes: tuple[str, ...] = SUFFIXES) -> list[str]:
    """The pictures in `folder` and all folders below it, as paths relative to it with slashes."""
    return [f"{place}{name}" for place, names in _walk(folder, suffixes, "", set()) for name in names]


def _walk(folder: Path, suffixes: tuple[str, ...], place: str, above: set[Path]) -> Iterator[tuple[str, list[str]]]:
    real = folder.resolve()
    if real in above:  # a link back
        return
    yield place, list_pictures(folder, suffixes)
    for below in list_subfolders(folder):
        yield from _walk(below, suffixes, f"{place}{below.name}/", {*above, real})


def is_hidden(path: Path) -> bool:
    """Whether a part of a relative path is hidden, or left by another program."""
    return any(map(_is_ignored, path.parts))


class FolderTree:
    """The folders below `root`, found by name: exactly, or else in another case or Unicode form."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._children: dict[Path, dict[str, Path]] = {}

    def find(self, relative: str) -> Path:
        """The folder at a relative path with slashes; where there is none, the path where it would be."""
        folder = self.root
        for name in filter(None, relative.split("/")):
            exact = folder / name
            folder = exact if exact.is_dir() else self._list(folder).get(fold(name), exact)
        return folder

    def _list(self, folder: Path) -> dict[str, Path]:
        if folder not in self._children:
            self._children[folder] = {fold(below.name): below for below in list_subfolders(folder)}
        return self._children[folder]
