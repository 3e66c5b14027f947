"""Finds the names of pairs from names of files. Files with the same name of a pair belong together."""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

from natsort import natsorted

from pix2pix.core.plurals import pluralize
from pix2pix.data.images.picture_files import drop_suffix
from pix2pix.data.sources.faults import Fault, Report, raise_fault
from pix2pix.data.sources.picture_folders import fold

LETTERS = ("AB", "A", "B")  # a file's name may end in the image that it is
LONGEST = 200  # bytes of a name; file systems allow 255, of which endings such as `_target.png` take some
NAMES_SHOWN = 3  # of each folder, in a message


def pair_name(stem: str, folder: str = "") -> str:
    """The name of a pair, from a file without its suffix: 1 for 1, 1_A and, in a folder `masks`, 1_mask.

    One letter and one name of the folder are taken off, no more: `left_B_A` and `left_B_B` are the pair `left_B`.
    """
    stem = _strip_ending(stem, LETTERS)
    return stem if folder in LETTERS else _strip_ending(stem, (folder, folder.removesuffix("s")))


def shorten_name(name: str) -> str:
    """The name of a pair, short enough for files that are called by it: a longer one is cut and gets a digest."""
    content = name.encode(errors="surrogateescape")
    if len(content) <= LONGEST:
        return name
    return f"{content[:LONGEST].decode(errors='ignore')}_{hashlib.sha256(content).hexdigest()[:8]}"


def _strip_ending(stem: str, endings: Iterable[str]) -> str:
    found = (stem.removesuffix(f"_{ending}") for ending in endings if ending and stem.endswith(f"_{ending}"))
    return next(found, stem)


def pair_path(file: str, folder: str = "") -> str:
    """The path of a pair, from the path of a file with its suffix; see `pair_name`."""
    place, slash, name = file.rpartition("/")
    return f"{place}{slash}{pair_name(drop_suffix(name), folder)}"


def files_by_pair_name(
    folder: Path, files: Iterable[str], name_of: Callable[[str], str] = pair_path, report: Report = raise_fault
) -> dict[str, str]:
    """The files of a folder by the names of their pairs, which `name_of` gives.

    Reports two files of one name; the first of them counts.
    """
    named: dict[str, str] = {}
    for file in files:
        other = named.setdefault(name_of(file), file)
        if other is not file:
            names = natsorted([other, file])
            message = f"{folder}: {' and '.join(names)} are one name. Rename or remove one of them."
            report(Fault("same-name", ValueError(message), [folder / name for name in names]))
    return named


def match_names(named: Sequence[Mapping[str, str]], folders: Sequence[str]) -> list[dict[str, str]]:
    """The files of each folder by names that all folders share as far as possible, in the order of the first folder.

    Names that differ in case or Unicode form, or in a letter `_a` for `_A`, match where no two of a folder become one.
    """
    if all(keys.keys() == named[0].keys() for keys in named):
        return [dict(keys) for keys in named]
    everywhere = set.intersection(*(set(keys) for keys in named))
    folded = [_fold_others(keys, everywhere, folder) for keys, folder in zip(named, folders, strict=True)]
    shown = {loose: key for key, loose in folded[0].items()}
    return [
        {shown.get(loose.get(key, key), key): file for key, file in keys.items()}
        for keys, loose in zip(named, folded, strict=True)
    ]


def _fold_others(keys: Iterable[str], exact: Collection[str], folder: str) -> dict[str, str]:
    """The folded form of each name that is not among `exact` and whose form no other one of the folder has."""
    folded = {key: _fold_key(key, folder) for key in keys if key not in exact}
    counts = Counter(folded.values())
    return {key: loose for key, loose in folded.items() if counts[loose] == 1}


def _fold_key(key: str, folder: str) -> str:
    folder = fold(folder)
    return _strip_ending(fold(key), (folder, folder.removesuffix("s")))


def unmatched_message(root: Path, places: Sequence[str], named: Sequence[Mapping[str, str]]) -> str:
    """The message that names pictures without partner, of every folder that has any."""
    if empty := [f"{place}/" for place, files in zip(places, named, strict=True) if not files]:
        full = [f"{place}/" for place, files in zip(places, named, strict=True) if files]
        return (
            f"{root}: {' and '.join(full)} holds pictures, but their partners are missing: no pictures in "
            f"{' and '.join(empty)}. Put them there, or give their folder its own name in data.folders."
        )
    everywhere = set.intersection(*(set(files) for files in named))
    alone = [
        natsorted(f"{place}/{files[key]}" for key in files.keys() - everywhere)
        for place, files in zip(places, named, strict=True)
    ]
    shown = natsorted(name for names in alone for name in names[:NAMES_SHOWN])
    lacking = " and ".join(f"{place}/" for place, names in zip(places, alone, strict=True) if names)
    pictures = pluralize(sum(map(len, alone)), "picture has", "pictures have")
    return (
        f"{root}: {pictures} no partner of the same name, among them {', '.join(shown)}. "
        f"Rename or remove them (all in {lacking}), or list the pairs in a table: data.list=pairs.csv."
    )


def folders_of(name: str) -> list[str]:
    """The folders in a name, in lower case."""
    return [fold(part) for part in name.split("/")[:-1]]


def drop_folder_name(key: str, folder: str) -> str:
    """The name of a pair without the folder of its image: seq1/001 for seq1/blur/001."""
    parts = key.split("/")
    at = max(n for n, part in enumerate(parts[:-1]) if fold(part) == fold(folder))
    return "/".join([*parts[:at], *parts[at + 1 :]])
