"""Matches files into pairs: by name, by order or by map tile; or lists single pictures."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from natsort import natsorted

from pix2pix.data.images.picture_files import drop_suffix
from pix2pix.data.pair import Split
from pix2pix.data.sources.faults import Fault, Report
from pix2pix.data.sources.pair_names import files_by_pair_name, match_names, pair_path
from pix2pix.data.sources.picture_folders import walk_pictures
from pix2pix.data.sources.single_pictures import find_single_pictures
from pix2pix.data.sources.splits import find_split
from pix2pix.datasets.check.scan import scan_folder

SPLITS = get_args(Split)


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
    """Pairs files with the same path in both folders, apart from suffixes, case and the texts in `strip`.

    Where that pairs more files, names may also end in the name of their folder, as `masks/1_mask.png`, or in `_A` and
    `_B`. Pairs in a subfolder train, val or test stay in that split.

    Raises:
        FileNotFoundError: when a folder does not exist.
        ValueError: when two files of one folder get the same name, or both folders are the same.
    """
    _require_two_folders(a, b)
    same_names: list[Fault] = []
    exact = [_name_pictures(folder, _Naming(strip), same_names.append) for folder in (a, b)]
    _raise_all(same_names, " Or strip less of the names." if strip else "")
    matched = match_names(exact, ["", ""])
    if _count_shared(matched) < max(map(len, exact)):
        faults: list[Fault] = []
        by_ending = [_name_pictures(folder, _Naming(strip, folder.name), faults.append) for folder in (a, b)]
        loose = match_names(by_ending, [a.name, b.name])
        matched = loose if not faults and _count_shared(loose) > _count_shared(matched) else matched
    named_a, named_b = (
        {key: folder / file for key, file in named.items()} for folder, named in zip((a, b), matched, strict=True)
    )
    names = natsorted(named_a.keys() & named_b.keys())
    items = [_make_item(name, (named_a[name], named_b[name])) for name in names]
    alone = [named[name] for named in (named_a, named_b) for name in natsorted(named.keys() - set(names))]
    return Matches(items, alone)


def _count_shared(named: Sequence[Mapping[str, str]]) -> int:
    return len(named[0].keys() & named[1].keys())


def _require_two_folders(a: Path, b: Path) -> None:
    if a.resolve() == b.resolve():
        raise ValueError(
            f"{a} and {b} are the same folder: each picture would be paired with itself. Name the folder of the inputs "
            "and that of the targets. If these lie side by side in each of many folders, as seq1/blur and seq1/sharp, "
            "train on them as they are: data=folder 'data.folders={A: blur, B: sharp}'."
        )


def match_by_order(a: Path, b: Path) -> Matches:
    """Pairs the first of A with the first of B, and so on, in natural order of their paths, in each split.

    Raises:
        FileNotFoundError: when a folder does not exist.
        ValueError: when both folders are the same.
    """
    _require_two_folders(a, b)
    split_a, split_b = (_group_by_split(folder) for folder in (a, b))
    items: list[PairSpec] = []
    alone: list[Path] = []
    for split in dict.fromkeys([*split_a, *split_b]):
        files_a, files_b = split_a.get(split, {}), split_b.get(split, {})
        pairs = list(zip(files_a.items(), files_b.values(), strict=False))
        items += [PairSpec(_flatten_path(key), (a / first, b / second), split) for (key, first), second in pairs]
        alone += [a / file for file in list(files_a.values())[len(pairs) :]]
        alone += [b / file for file in list(files_b.values())[len(pairs) :]]
    return Matches(items, alone)


def _group_by_split(folder: Path) -> dict[str | None, dict[str, str]]:
    """The pictures below a folder, in natural order, by their paths below that of their split."""
    groups: dict[str | None, dict[str, str]] = {}
    for file in _walk(folder):
        split, key = _divide(file)
        groups.setdefault(split, {})[key] = file
    return groups


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
    """Lists the pictures that `data=derived` would train on. Those in a folder train, val or test stay in that split.

    Raises:
        FileNotFoundError: when there is no such folder, or no picture in it.
        ValueError: for a folder of pairs, and with all pictures that share their names.
    """
    faults: list[Fault] = []
    found = find_single_pictures(folder, faults.append)
    _raise_all(faults)
    items = [
        PairSpec(_flatten_path(drop_suffix(name)), (file,), split if found.has_splits else None)
        for split, each in found.splits.items()
        for name, (file,) in zip(each.files.names[0], each.files, strict=True)
    ]
    return Matches(items, [])


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


@dataclass(frozen=True)
class _Naming:
    """Gives the path of a pair from the path of a file: without the texts in `strip` and the name of its folder.

    The folder of a split is called train, val or test, whatever word for it the path has.
    """

    strip: Sequence[str]
    folder: str | None = None

    def __call__(self, file: str) -> str:
        split, path = _divide(file)
        for text in self.strip:
            path = path.replace(text, "")
        if not path or path.endswith("/"):
            raise ValueError(f"{file}: nothing is left of its name. Strip less.")
        path = path if self.folder is None else pair_path(f"{path}.", self.folder)
        return f"{split}/{path}" if split else path


def _divide(file: str) -> tuple[str | None, str]:
    """The split that the first folder of a path names, and the rest of the path, without the suffix of the file."""
    first, slash, rest = drop_suffix(file).partition("/")
    split = find_split(first) if slash else None
    return (split, rest) if split else (None, f"{first}{slash}{rest}")


def _walk(folder: Path) -> list[str]:
    """The pictures that a training finds below a folder, in natural order."""
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {str(folder)!r}. Give a folder of pictures.")
    return natsorted(walk_pictures(folder))


def _name_pictures(folder: Path, naming: _Naming, report: Report) -> dict[str, str]:
    return files_by_pair_name(folder, _walk(folder), naming, report)


def _raise_all(faults: Sequence[Fault], advice: str = "") -> None:
    if faults:
        raise ValueError("\n".join(str(fault.error) for fault in faults) + advice)


def _make_item(name: str, files: tuple[Path, ...]) -> PairSpec:
    first, slash, rest = name.partition("/")
    is_split = bool(slash) and first in SPLITS
    return PairSpec(_flatten_path(rest if is_split else name), files, first if is_split else None)


def _flatten_path(path: str) -> str:
    """Joins a path to one file name. A trailing _A, _B or _AB, which marks the side of a pair, gets another _."""
    name = path.replace("/", "_")
    return f"{name}_" if re.search(r"_(A|B|AB)$", name) else name


def _parse_tile(item: PairSpec, folder: Path) -> tuple[int, int, int]:
    parts = item.files[0].relative_to(folder).with_suffix("").parts
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        raise ValueError(f"{item.files[0]}: not a map tile, whose path is z/x/y in whole numbers.")
    z, x, y = map(int, parts)
    return z, x, y
