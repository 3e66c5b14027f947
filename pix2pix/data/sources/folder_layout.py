"""Finds the files of each pair in a dataset folder.

A data set may have a million pairs, so each folder is listed once, nothing is sorted twice, and names are kept as they
were listed: as many paths would take a gigabyte.
"""

import contextlib
import hashlib
import itertools
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from natsort import natsorted

from pix2pix.data.images.decode import SUFFIXES, read_size
from pix2pix.data.images.picture_files import UnreadableError, require_utf8_names
from pix2pix.data.inventory import Inventory
from pix2pix.data.pair import Split
from pix2pix.data.sources.image_spec import require_even

log = logging.getLogger(__name__)

SPLIT_NAMES: dict[Split | Literal[""], tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
    "": ("",),
}
LAYOUTS = ("{split}{name}", "{name}/{split}", "{split}/{name}", "{split}_{name}")
LETTERS = ("AB", "A", "B")  # a file's name may end in the image that it is
HELD_OUT_EVERY = 10
WIDTHS_CHECKED = 1000  # side-by-side files of a split whose width is looked at before anything begins


class PairPaths(Sequence[tuple[Path, ...]]):
    """The files of each pair, whose names become paths when they are asked for.

    Args:
        folders: for each file of a pair the folder it lies in.
        names: for each folder the names of its files, in the order of the pairs.
    """

    def __init__(self, folders: Sequence[Path], names: Sequence[list[str]]) -> None:
        self.folders, self.names = folders, names

    def __len__(self) -> int:
        return len(self.names[0])

    def __getitem__(self, index: int) -> tuple[Path, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return tuple(folder / names[index] for folder, names in zip(self.folders, self.names, strict=True))

    def partition(self, part: slice) -> tuple["PairPaths", "PairPaths"]:
        """The pairs that the slice leaves, and those that it takes."""
        left = [list(names) for names in self.names]
        for names in left:
            del names[part]
        return PairPaths(self.folders, left), PairPaths(self.folders, [names[part] for names in self.names])

    def describe_files(self, root: Path) -> Iterator[tuple[str, int]]:
        """For each file its path below `root` and its bytes, in words, and the date of its last change."""
        for folder, names in zip(self.folders, self.names, strict=True):
            place, below = f"{folder}{os.sep}", os.path.relpath(folder, root) + os.sep
            shown = below.removeprefix(f".{os.sep}")
            for name in names:
                stat = os.stat(place + name)  # noqa: PTH116 - a path takes longer than its size
                yield f"{shown}{name} {stat.st_size}", stat.st_mtime_ns


def inventory_splits(splits: Iterable[PairPaths], root: Path, settings: str = "") -> Inventory:
    """The files of splits below `root`; the fingerprint is a digest of their names and sizes, and of `settings`."""
    dates = dict(line for files in set(splits) for line in files.describe_files(root))
    lines = sorted(dates)
    digest = hashlib.sha256("\n".join([*lines, *filter(None, [settings])]).encode()).hexdigest()
    sizes = np.fromiter((int(line.rpartition(" ")[2]) for line in lines), np.int64, len(lines))
    return Inventory(
        digest,
        lambda number: root / lines[number].rpartition(" ")[0],
        sizes,
        np.fromiter((dates[line] for line in lines), np.int64, len(lines)),
    )


def list_pictures(folder: Path) -> list[str]:
    """The names of the pictures directly in `folder`, as the system lists them; ValueError for one that is no UTF-8."""
    if not folder.is_dir():
        return []
    names = [name for name in os.listdir(folder) if name.lower().endswith(SUFFIXES) and name[0] != "."]  # noqa: PTH208
    require_utf8_names(folder, names)
    return names


def list_picture_paths(folder: Path) -> list[Path]:
    """The picture files directly in `folder`, in natural order: 2.jpg before 10.jpg."""
    return [folder / name for name in natsorted(list_pictures(folder))]


def find_splits(path: Path, names: list[str]) -> dict[Split, PairPaths]:
    """The pairs of every split; `names` are the folders of A and of B. See `PairFolder` for what stands in for what."""
    found: dict[Split, PairPaths] = {split: find_split(path, split, names) for split in SPLIT_NAMES if split}
    train = found["train"] or find_split(path, "", names)
    if not any(found.values()) and not train:
        inner = [folder for folder in path.iterdir() if folder.is_dir() and not folder.name.startswith(".")]
        if len(inner) == 1:  # as archives are often unpacked
            return find_splits(inner[0], names)
        raise FileNotFoundError(
            f"no pictures in {str(path)!r}: expected train/ and val/ with side-by-side files, or "
            f"{', '.join(f'train{name}/' for name in names)} ... "
            f"(other names: data.folders). Known suffixes: {', '.join(SUFFIXES)}."
        )
    if not train:
        raise FileNotFoundError(
            f"no training pairs in {str(path)!r}: expected them in train/, or in "
            f"{' and '.join(f'train{name}/' for name in names)}."
        )
    held_out = found["val"] or found["test"]
    if not held_out:
        train, held_out = _hold_out(train, path)
    elif not found["val"]:
        log.info("%s has no val split: a training validates on its test pairs, which so choose best.ckpt.", path)
    return {"train": train, "val": found["val"] or held_out, "test": found["test"] or held_out}


def _hold_out(files: PairPaths, path: Path) -> tuple[PairPaths, PairPaths]:
    if len(files) < 2:
        raise ValueError(f"{path}: one pair alone cannot be split into training and validation. Add pairs.")
    train, held_out = files.partition(held_out_slice(files))
    log.info("%s has no val or test split: every tenth pair (%d of %d) is held out.", path, len(held_out), len(files))
    return train, held_out


def held_out_slice(files: Sequence[object]) -> slice:
    """Those that are held out: every tenth, or the last one of fewer."""
    return slice(min(HELD_OUT_EVERY, len(files)) - 1, None, HELD_OUT_EVERY)


def find_split(path: Path, split: Split | Literal[""], names: list[str]) -> PairPaths:
    """The files of one split in the first layout that has any; the split "" is the folder itself."""
    for word, layout in itertools.product(SPLIT_NAMES[split], LAYOUTS):
        folders = [path / layout.format(split=word, name=name).strip("/_") for name in names]
        files = [list_pictures(folder) for folder in folders]
        if any(files):
            return _match_files(folders, files, names)
    for word in SPLIT_NAMES[split]:
        if side_by_side := list_pictures(path / word):
            return _check_side_by_side(path / word, side_by_side)
    return PairPaths([path], [[]])


def _check_side_by_side(folder: Path, files: list[str]) -> PairPaths:
    names = list(files_by_pair_name(folder, natsorted(files)).values())
    for name in names[:: -(-len(names) // WIDTHS_CHECKED)]:
        with contextlib.suppress(UnreadableError):  # told when it is read: data.on_error says what becomes of it
            require_even(read_size(folder / name)[1], folder / name)
    return PairPaths([folder], [names])


def _match_files(folders: list[Path], files: list[list[str]], names: list[str]) -> PairPaths:
    """The pairs in the natural order of their first files."""
    first, *others = files
    ordered = [natsorted(first), *others]
    named = [files_by_pair_name(*each) for each in zip(folders, ordered, names, strict=True)]
    if any(keys.keys() != named[0].keys() for keys in named):
        raise ValueError(_unmatched_message(folders, named))
    return PairPaths(folders, [[files[key] for key in named[0]] for files in named])


def _unmatched_message(folders: list[Path], named: list[dict[str, str]]) -> str:
    everywhere = set.intersection(*(set(files) for files in named))
    alone = [
        f"{folder.name}/{files[key]}"
        for folder, files in zip(folders, named, strict=True)
        for key in files.keys() - everywhere
    ]
    return (
        f"{folders[0].parent}: {len(alone)} pictures have no partner of the same name, among them "
        f"{', '.join(natsorted(alone)[:5])}. Rename or remove them."
    )


def files_by_pair_name(folder: Path, files: Iterable[str], shows: str = "") -> dict[str, str]:
    """The files of a folder by the names of their pairs; `shows` is what the folder is called by.

    Raises ValueError for two of one name.
    """
    named: dict[str, str] = {}
    for file in files:
        other = named.setdefault(pair_name(file.rpartition(".")[0], shows), file)
        if other is not file:
            both = " and ".join(natsorted([other, file]))
            raise ValueError(f"{folder}: {both} are one name. Rename or remove one of them.")
    return named


def pair_name(stem: str, folder: str = "") -> str:
    """The name of a pair, from a file without its suffix: 1 for 1, 1_A and, in a folder `masks`, 1_mask.

    One letter and one name of the folder are taken off, no more: `left_B_A` and `left_B_B` are the pair `left_B`.
    """
    stem = _strip_ending(stem, LETTERS)
    return stem if folder in LETTERS else _strip_ending(stem, (folder, folder.removesuffix("s")))


def _strip_ending(stem: str, endings: Iterable[str]) -> str:
    found = (stem.removesuffix(f"_{ending}") for ending in endings if ending and stem.endswith(f"_{ending}"))
    return next(found, stem)
