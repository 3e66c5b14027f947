"""Tells side-by-side files from single pictures: by their sizes, their names and the look of their middle."""

import contextlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from pix2pix.data.images.decode import open_picture, read_size
from pix2pix.data.images.picture_files import UnreadablePictureError, drop_suffix
from pix2pix.data.sources.faults import Fault, Report, raise_fault
from pix2pix.data.sources.image_spec import odd_width_error
from pix2pix.data.sources.picture_folders import fold

WIDTHS_CHECKED = 1000  # side-by-side files of a split whose width is looked at before anything begins
PICTURES_VIEWED = 24  # of which the middle is looked at
FEWEST_VIEWED = 4  # that show enough to tell
CONTINUOUS = 1.5  # times the usual difference of neighbouring columns; more is a border between two pictures
FLAT = 2  # mean difference of neighbours beside the middle; with less, a border cannot be seen
WIDE = 1.8  # width by height from which a file is taken for a pair, whatever it is called
MOST_IMAGES = 4  # of a pair, which files in one folder may be called by
Size = tuple[int, int]


def count_sizes(folder: Path, names: Sequence[str], report: Report = raise_fault) -> dict[Size, int]:
    """(height, width) of some of the files, spread evenly, with their number. Reports those of odd width."""
    sizes: Counter[Size] = Counter()
    for name in names[:: -(-len(names) // WIDTHS_CHECKED)] if names else ():
        with contextlib.suppress(UnreadablePictureError):  # told when it is read: data.on_error says what becomes of it
            height, width = read_size(folder / name)
            if width % 2:
                report(Fault("odd-width", odd_width_error(width, folder / name), [folder / name]))
            sizes[(height, width)] += 1
    return dict(sizes)


def are_single_beside(sizes: Iterable[Size], pairs: Iterable[Size]) -> bool:
    """Whether files have the proportions of one half of the others: then they are single pictures."""
    of_files, of_pairs = ([width / height for height, width in each] for each in (sizes, pairs))
    if not of_files or not of_pairs:
        return False
    return all(any(abs(2 * one / pair - 1) < 0.02 for pair in of_pairs) for one in of_files) and not any(
        abs(one / pair - 1) < 0.02 for one in of_files for pair in of_pairs
    )


def find_images_in_names(names: Sequence[str]) -> list[str]:
    """The names of a pair's images, if all files lie in one folder: mask and sat for `1_mask.png` and `1_sat.png`.

    Empty unless every name consists of a pair's name and one of a few words, and every pair has a file of each word.
    """
    stems = [(place, drop_suffix(file)) for place, _, file in (name.rpartition("/") for name in names)]
    for split in (lambda stem: stem.rpartition("_"), lambda stem: stem.partition("_")[::-1]):
        words: dict[tuple[str, str], set[str]] = defaultdict(set)
        for place, stem in stems:
            pair, _, word = split(stem)
            words[place, pair].add(word)
        found = next(iter(words.values()), set())
        same = all(each == found for each in words.values()) and len(words) > 1
        if same and 2 <= len(found) <= MOST_IMAGES and all(word.isalpha() for word in found) and "" not in words:
            return sorted(found)
    return []


def split_by_image(names: Sequence[str], images: Sequence[str]) -> list[dict[str, str]] | None:
    """The files of each image by the names of their pairs, where all files are called by their image; else None."""
    found: list[dict[str, str]] = [{} for _ in images]
    folded = [fold(image) for image in images]
    for name in names:
        place, slash, file = name.rpartition("/")
        stem = drop_suffix(file)
        hits = [(n, key) for n, image in enumerate(folded) if (key := _strip_image(stem, image)) is not None]
        if len(hits) != 1 or found[hits[0][0]].setdefault(f"{place}{slash}{hits[0][1]}", name) is not name:
            return None
    return found if all(found) else None


def _strip_image(stem: str, image: str) -> str | None:
    """The rest of a file's name without `_IMAGE` or `IMAGE_`; None where it has neither."""
    for mark in "_-":
        if fold(stem).endswith(f"{mark}{image}"):
            return stem[: -len(image) - 1]
        if fold(stem).startswith(f"{image}{mark}"):
            return stem[len(image) + 1 :]
    return None


def find_single_names(folder: Path, names: Sequence[str], sizes: Mapping[Size, int]) -> Fault | None:
    """The fault of files that are named as the images of pairs, `1_sat.png` beside `1_mask.png`."""
    images = find_images_in_names(names)
    if images and not (sizes and all(width >= WIDE * height for height, width in sizes)):
        kinds = " and ".join(f"N_{image}" for image in images)
        message = (
            f"{folder}: holds files named {kinds}, which are single pictures, not pairs side by side. Set "
            f"'data.folders={{A: {images[-1]}, B: {images[0]}}}' (A is the input) to pair them, or "
            "data.layout=side_by_side if each file holds both images of a pair."
        )
        return Fault("layout", ValueError(message), folders=(images[-1], images[0]))
    return None


def look_single(files: Sequence[Path]) -> bool:
    """Whether the middle shows no border between two pictures, where most of the files show enough to tell."""
    chosen = [files[int(at)] for at in np.linspace(0, len(files) - 1, min(len(files), PICTURES_VIEWED))]
    seams = [seam for file in chosen if (seam := _measure_seam(file)) is not None]
    enough = max(min(FEWEST_VIEWED, len(files)), len(chosen) // 2 + 1)
    return len(seams) >= enough and float(np.median(seams)) < CONTINUOUS


def _measure_seam(file: Path) -> float | None:
    """The difference of the two middle columns, relative to that of other neighbours; None if it shows nothing."""
    try:
        picture = open_picture(file)
    except (ValueError, OSError):
        return None
    if not isinstance(picture, Image.Image) or picture.width < 32 or picture.width % 2:
        return None
    columns = np.asarray(picture.convert("L"), np.float32)
    middle = picture.width // 2
    steps = np.abs(np.diff(columns, axis=1)).mean(axis=0)
    usual = float(np.median(np.delete(steps, middle - 1)))
    far = float(np.abs(columns[:, :middle] - columns[:, middle:]).mean())
    beside = float(np.delete(steps[middle - 3 : middle + 2], 2).mean())
    # Flat, also by a white margin around the middle; or noise, in which neighbours differ as all do.
    if far < 4 or usual < 0.5 or usual > far / 2 or beside < FLAT:
        return None
    return float(steps[middle - 1]) / usual
