"""Matches files into pairs: by name, by order or by map tile; or lists single pictures."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from natsort import natsorted

from pix2pix.data.images.decode import SUFFIXES
from pix2pix.data.images.picture_files import require_utf8_names
from pix2pix.datasets.check.scan import scan_folder

SPLITS = ("train", "val", "test")


class PairSpec(NamedTuple):
    """A pair to prepare.

    Args:
        name: the unique name of the pair and of its file.
        files: (A, B); or one, which is a side-by-side file or a picture whose input is derived.
        split: the split that it must be in; None for a random one.
        group: pairs of one group stay in one split; None for a pair of its own.
    """

    name: str
    files: tuple[Path, ...]
    split: str | None = None
    group: str | None = None


class Matches(NamedTuple):
    """The pairs, and the files that belong to none."""

    pairs: list[PairSpec]
    unmatched: list[Path]


def match_by_name(a: Path, b: Path, strip: Sequence[str] = ()) -> Matches:
    """Pairs files with the same path in both folders, apart from suffixes and the texts in `strip`.

    Pairs in a subfolder train, val or test stay in that split.

    Raises:
        ValueError: when two files of one folder get the same name, or both folders are the same.
    """
    _require_two_folders(a, b)
    named_a, named_b = (_name_pictures(folder, strip) for folder in (a, b))
    names = natsorted(named_a.keys() & named_b.keys())
    items = [_make_item(name, (named_a[name], named_b[name])) for name in names]
    alone = [named[name] for named in (named_a, named_b) for name in natsorted(named.keys() - set(names))]
    return Matches(items, alone)


def _require_two_folders(a: Path, b: Path) -> None:
    if a.resolve() == b.resolve():
        raise ValueError(
            f"{a} and {b} are the same folder: each picture would be paired with itself. Name the folder of the inputs "
            "and that of the targets. If these lie side by side in each of many folders, as seq1/blur and seq1/sharp, "
            "train on them as they are: data=folder 'data.folders={A: blur, B: sharp}'."
        )


def match_by_order(a: Path, b: Path) -> Matches:
    """Pairs the first of A with the first of B, and so on, in natural order of their paths.

    Raises:
        ValueError: when both folders are the same.
    """
    _require_two_folders(a, b)
    files_a, files_b = list_pictures(a), list_pictures(b)
    items = [
        PairSpec(_flatten_path(f.relative_to(a).with_suffix("")), (f, g))
        for f, g in zip(files_a, files_b, strict=False)
    ]
    return Matches(items, files_a[len(items) :] + files_b[len(items) :])


def match_tiles(a: Path, b: Path, block: int) -> Matches:
    """Pairs the map tiles (z/x/y) of two layers by position. Squares of `block` x `block` tiles form one group.

    The squares are those of the topmost level. Tiles of deeper levels belong to the square that they lie in, because
    they show the same ground.
    """
    matched = match_by_name(a, b)
    places = [_parse_tile(item, a) for item in matched.pairs]
    top = min((z for z, _, _ in places), default=0)
    items = []
    for item, (z, x, y) in zip(matched.pairs, places, strict=True):
        # A tile of level z lies in the tile of the top level whose numbers are its own, halved z - top times.
        square = (x >> (z - top)) // block, (y >> (z - top)) // block
        items.append(item._replace(split=None, group=f"{square[0]}/{square[1]}"))
    return Matches(items, matched.unmatched)


def list_singles(folder: Path) -> Matches:
    """Lists each picture by itself. Pictures in a subfolder train, val or test stay in that split."""
    return Matches([_make_item(name, (file,)) for name, file in _name_pictures(folder, ()).items()], [])


def list_existing_pairs(folder: Path) -> Matches:
    """Lists the pairs of a data set, whatever their present splits. Raises ValueError for what training refuses."""
    found = scan_folder(folder)
    alone = [file for finding in found.findings if finding.kind in {"unmatched", "same-name"} for file in finding.files]
    kinds = {finding.kind for finding in found.findings if finding.severity == "error" and not finding.files}
    refused = [finding for finding in found.findings if finding.kind in kinds - {"one-pair", "no-train"}]
    if refused:
        raise ValueError("\n".join(f"{finding.message}. {finding.remedy}" for finding in refused))
    # Different splits may have pairs of the same name; one split needs no prefix.
    several = len({entry.split for entry in found.pairs}) > 1
    names = [f"{entry.split}_{entry.name}" if several else entry.name for entry in found.pairs]
    return Matches([PairSpec(name, entry.files) for name, entry in zip(names, found.pairs, strict=True)], alone)


def choose_layout(matched: Matches) -> Literal["side-by-side", "folders"]:
    """The layout that pairs have now."""
    return "folders" if any(len(item.files) == 2 for item in matched.pairs) else "side-by-side"


def list_pictures(folder: Path) -> list[Path]:
    """Lists all pictures below a folder, in natural order. Raises FileNotFoundError if it does not exist."""
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {str(folder)!r}. Give a folder of pictures.")
    found = [
        file for file in folder.rglob("*") if file.name.lower().endswith(SUFFIXES) and not _is_hidden(file, folder)
    ]
    require_utf8_names(folder, [str(file.relative_to(folder)) for file in found])
    return natsorted(found, key=str)


def _is_hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def _name_pictures(folder: Path, strip: Sequence[str]) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for file in list_pictures(folder):
        name = str(file.relative_to(folder).with_suffix("").as_posix())
        for word in strip:
            name = name.replace(word, "")
        other = named.setdefault(name, file)
        if other is not file:
            raise ValueError(f"{other} and {file} come to one name, {name!r}. Rename one, or strip less.")
    return named


def _make_item(name: str, files: tuple[Path, ...]) -> PairSpec:
    first, _, rest = name.partition("/")
    return (
        PairSpec(_flatten_path(Path(rest)), files, first)
        if rest and first in SPLITS
        else PairSpec(_flatten_path(Path(name)), files)
    )


def _flatten_path(path: Path) -> str:
    """Joins a path to one file name. A trailing _A, _B or _AB, which marks the side of a pair, gets another _."""
    name = "_".join(path.parts)
    return f"{name}_" if re.search(r"_(A|B|AB)$", name) else name


def _parse_tile(item: PairSpec, folder: Path) -> tuple[int, int, int]:
    parts = item.files[0].relative_to(folder).with_suffix("").parts
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        raise ValueError(f"{item.files[0]}: not a map tile, whose path is z/x/y in whole numbers.")
    z, x, y = map(int, parts)
    return z, x, y
