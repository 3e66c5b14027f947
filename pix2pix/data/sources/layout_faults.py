"""Faults of folders whose pictures are not the pairs they seem to be, and what to do about them."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from natsort import natsorted

from pix2pix.core.plurals import pluralize
from pix2pix.data.images.decode import SUFFIXES
from pix2pix.data.images.picture_files import drop_suffix
from pix2pix.data.sources.faults import Fault
from pix2pix.data.sources.image_spec import OWN_FOLDERS
from pix2pix.data.sources.inputs_alone import USE
from pix2pix.data.sources.picture_folders import walk_pictures
from pix2pix.data.sources.splits import SplitFiles

PLACES_SHOWN = 4


def find_same_folder(folders: Sequence[Path], names: Sequence[list[str]], place: str) -> ValueError | None:
    """The error if the files of A are those of B."""
    for (first, first_names), (second, second_names) in itertools.combinations(zip(folders, names, strict=True), 2):
        if first_names == second_names and first.resolve() == second.resolve():
            return ValueError(
                f"{place} is the folder of both A and B: each picture would be its own partner. Name two folders, as "
                "in 'data.folders={A: blur, B: sharp}'."
            )
    return None


def find_images_below(folder: Path, names: Sequence[str]) -> Fault | None:
    """The fault of folders that hold files of the same names: those of A and of B, under other names."""
    files: dict[str, dict[str, set[str]]] = {}  # the names of the pictures, by the folder above theirs, and by theirs
    for name in names:
        place, _, file = name.rpartition("/")
        above, _, last = place.rpartition("/")
        files.setdefault(above, {}).setdefault(last, set()).add(drop_suffix(file))
    images = [set(below) for below in files.values()]
    kinds = natsorted(images[0])
    are_alike = all(each == next(iter(below.values())) for below in files.values() for each in below.values())
    # Folders may also be those of classes. Two of these signs say that they are images.
    signs = [len(kinds) == 2, len(images) > 1, are_alike]
    if len(kinds) < 2 or images.count(images[0]) < len(images) or signs.count(True) < 2:
        return None
    a, b = kinds[0], kinds[-1]
    message = (
        f"{folder}: its pictures lie in folders {', '.join(f'{kind}/' for kind in kinds[:PLACES_SHOWN])}. Set "
        f"'data.folders={{A: {a}, B: {b}}}' (A is the input) if these are the two images of a pair, or "
        "data.layout=side_by_side if each file holds both."
    )
    return Fault("layout", ValueError(message), folders=(a, b))


def describe_several(path: Path, folders: Sequence[Path], lacking: Sequence[str]) -> Fault:
    """The fault of a folder that holds several which might be the data set, or the two images of its pairs.

    `lacking` are names of A's and B's folders that none of them has.
    """
    shown = ", ".join(f"{folder.name}/" for folder in folders[:PLACES_SHOWN])
    message = f"{path}: holds pictures in {len(folders)} folders, {shown}"
    if set(lacking) - set(OWN_FOLDERS):
        message += f"; data.folders names others, {', '.join(lacking)}, which are not there"
    message += ". Set data.path to the one that is meant"
    names = None
    if len(folders) == 2:
        a, b = names = folders[0].name, folders[1].name
        message += f", or 'data.folders={{A: {a}, B: {b}}}' (A is the input) if they hold the two images of each pair"
    return Fault("layout", ValueError(f"{message}."), folders=names)


def describe_missing_partners(places: Sequence[str], named: Sequence[Mapping[str, str]]) -> str:
    """A note about the pictures of a split that are left out because another of its folders is empty."""
    empty = [place for place, files in zip(places, named, strict=True) if not files]
    full = [place for place, files in zip(places, named, strict=True) if files]
    holds = f"holds {pluralize(max(map(len, named)), 'picture', 'pictures')}"
    return f"{' and '.join(full)} {holds} with no partners in {', '.join(empty)}: left out"


def describe_single_inputs(files: SplitFiles, train: SplitFiles) -> str:
    """A note about single pictures beside training pairs, which are taken for inputs without targets."""
    return (
        f"{files.place} holds {len(files.files)} single pictures, half as wide as the pairs of {train.place}: "
        f"inputs without targets; {USE} (data.layout=side_by_side takes them as pairs)"
    )


def describe_single_pictures(root: Path, files: SplitFiles, train: SplitFiles) -> Fault:
    """The fault of training files that are single pictures beside pairs in another split."""
    message = (
        f"{root}: the files of {train.place} are half as wide as those of {files.place}: single pictures, not pairs "
        "side by side. Put A and B into two folders, trainA/ and trainB/, or set data.layout=side_by_side."
    )
    return Fault("layout", ValueError(message))


def no_pictures_message(path: Path, names: Sequence[str]) -> str:
    """What was expected in a folder without pictures, and where there are some."""
    places = natsorted({name.rpartition("/")[0] for name in walk_pictures(path)})
    deeper = f" Pictures lie deeper, in {', '.join(f'{place}/' for place in places[:PLACES_SHOWN])}." if places else ""
    return (
        f"no pictures in {str(path)!r}: expected train/ and val/ with side-by-side files, or "
        f"{', '.join(f'train{name}/' for name in names)} ... "
        f"(other names: data.folders).{deeper} Known suffixes: {', '.join(SUFFIXES)}."
    )
