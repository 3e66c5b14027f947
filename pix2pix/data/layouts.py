"""Where in a folder the files of a split lie, and which of them belong together."""

import itertools
import logging
from pathlib import Path
from typing import Literal

from natsort import natsorted

from pix2pix.data.pair_source import Split
from pix2pix.data.pixels import SUFFIXES, size
from pix2pix.data.sides import require_even
from pix2pix.data.stored import File

log = logging.getLogger(__name__)

WORDS: dict[Split | Literal[""], tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
    "": ("",),
}
LAYOUTS = ("{split}{name}", "{name}/{split}", "{split}/{name}", "{split}_{name}")
HELD_OUT_EVERY = 10


def splits_of(path: Path, names: list[str]) -> dict[Split, list[tuple[Path, ...]]]:
    """The files of the pairs of every split below `path`, where A and B lie side by side or in folders of `names`.

    Raises:
        FileNotFoundError: when there is no picture to train on.
        ValueError: when names do not match, or a side-by-side file is of odd width.
    """
    found = {split: _find(path, split, names) for split in WORDS if split}
    train = found["train"] or _find(path, "", names)
    if not any(found.values()) and not train:
        inner = [folder for folder in path.iterdir() if folder.is_dir() and not folder.name.startswith(".")]
        if len(inner) == 1:  # as archives are often unpacked
            return splits_of(inner[0], names)
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
    return {"train": train, "val": found["val"] or held_out, "test": found["test"] or held_out}


def _hold_out(files: list[tuple[Path, ...]], path: Path) -> tuple[list[tuple[Path, ...]], list[tuple[Path, ...]]]:
    if len(files) < 2:
        raise ValueError(f"{path}: one pair alone cannot be split into training and validation. Add pairs.")
    held_out = files[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY] or files[-1:]
    log.info("%s has no val or test split: every tenth pair (%d of %d) is held out.", path, len(held_out), len(files))
    apart = set(held_out)
    return [file for file in files if file not in apart], held_out


def _find(path: Path, split: Split | Literal[""], names: list[str]) -> list[tuple[Path, ...]]:
    """The files of one split in the first layout that has any; the split "" is the folder itself."""
    for word, layout in itertools.product(WORDS[split], LAYOUTS):
        folders = [path / layout.format(split=word, name=name).strip("/_") for name in names]
        if any(map(pictures, folders)):
            return _matched(folders, names)
    side_by_side = next(filter(None, (pictures(path / word) for word in WORDS[split])), [])
    files = by_name(side_by_side).values()
    for file in files:
        require_even(size(file)[0], file)
    return [(file,) for file in files]


def _matched(folders: list[Path], names: list[str]) -> list[tuple[Path, ...]]:
    named = [by_name(pictures(folder), name) for folder, name in zip(folders, names, strict=True)]
    everywhere = set.intersection(*(set(files) for files in named))
    alone = [
        f"{folder.name}/{files[key].name}"
        for folder, files in zip(folders, named, strict=True)
        for key in files.keys() - everywhere
    ]
    if alone:
        raise ValueError(
            f"{folders[0].parent}: {len(alone)} pictures have no partner of the same name, among them "
            f"{', '.join(natsorted(alone)[:5])}. Rename or remove them."
        )
    return [tuple(files[key] for files in named) for key in named[0]]


def pictures(folder: Path) -> list[Path]:
    """The picture files directly in `folder`, in natural order: 2.jpg before 10.jpg."""
    if not folder.is_dir():
        return []
    return natsorted(
        (f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES and not f.name.startswith(".")), key=str
    )


def by_name(files: list[Path], folder: str = "") -> dict[str, Path]:
    """The files by the names of their pairs; `folder` names what they show. Raises ValueError for two of one name."""
    named: dict[str, Path] = {}
    for file in files:
        other = named.setdefault(pair_name(file, folder), file)
        if other is not file:
            raise ValueError(f"{file.parent}: {other.name} and {file.name} are one name. Rename or remove one of them.")
    return named


def pair_name(file: File, folder: str = "") -> str:
    """The name of a pair: 1 for 1.png, 1_A.jpg and, in a folder `masks`, 1_mask.png."""
    name = file.stem
    for ending in ("AB", "A", "B", *filter(None, (folder, folder.removesuffix("s")))):
        name = name.removesuffix(f"_{ending}")
    return name
