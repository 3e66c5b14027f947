"""The settings by which training reads the pixels of a data set: depth, range, channels and label maps."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from math import ceil, floor
from pathlib import Path
from typing import NamedTuple

from pix2pix.core.plurals import pluralize
from pix2pix.data.direction import LETTERS, SIDES, Direction, Letter, letter_of, order_letters
from pix2pix.data.images.class_numbers import count_classes, label_settings
from pix2pix.data.images.value_range import Depth
from pix2pix.datasets.check.file_info import FileInfo
from pix2pix.datasets.check.findings import Finding
from pix2pix.datasets.check.measure import PairStats
from pix2pix.datasets.check.scan import FolderNames


class FolderPixels(NamedTuple):
    """How the files of one folder are read.

    Args:
        letter: the letter of the image.
        name: the name of the folder.
        files: those that can be read.
        depth: that of most files.
        channels: the number that suits them.
        classes: the number of classes, if the files are label maps.
    """

    letter: Letter
    name: str
    files: dict[Path, FileInfo]
    depth: Depth
    channels: int
    classes: int | None

    @property
    def value_range(self) -> tuple[float, float] | None:
        """The range to set: signed integers have none of their own, floats that of 0 to 1."""
        infos = [info for info in self.files.values() if info.depth == self.depth]
        low, high = min(info.limits[0] for info in infos), max(info.limits[1] for info in infos)
        if self.classes is not None or self.depth in {8, 16} or (self.depth == "float" and low >= 0 and high <= 1):
            return None
        return floor(low), max(ceil(high), floor(low) + 1)


def find_folder_pixels(readings: Sequence[PairStats], folders: FolderNames) -> list[FolderPixels]:
    """How the files of each folder are read, in the order of the files of a pair."""
    named: list[tuple[Letter, str]] = [(letter, name) for letter in LETTERS for name in folders[letter]]
    classes = count_class_numbers(readings)
    found = []
    for place, (letter, name) in enumerate(named):
        files: dict[Path, FileInfo] = {}
        for reading in readings:
            file = reading.entry.files[place if len(reading.entry.files) > 1 else 0]
            if file in reading.file_infos:
                files[file] = reading.file_infos[file]
        if files:
            depths = Counter[Depth](info.depth for info in files.values())
            is_first = name == folders[letter][0]  # of several inputs the first is measured
            is_grey = _is_grey(readings, letter, is_first=is_first)
            channels = _choose_channels(list(files.values()), is_grey=is_grey)
            numbers = classes[letter] if is_first else None
            found.append(FolderPixels(letter, name, files, depths.most_common(1)[0][0], channels, numbers))
    return found


def count_class_numbers(readings: Sequence[PairStats]) -> dict[Letter, int | None]:
    """How many classes the images A and the images B seem to hold; None where they are pictures."""
    sides = [reading.sides for reading in readings if reading.sides]
    return {
        letter: count_classes([pair[which].highest_class for pair in sides]) for which, letter in enumerate(LETTERS)
    }


def _is_grey(readings: Sequence[PairStats], letter: Letter, *, is_first: bool) -> bool:
    """Whether no picture has colour. The first of several inputs is measured; for the others the mode decides."""
    sides = [reading.sides[LETTERS.index(letter)] for reading in readings if reading.sides]
    return is_first and bool(sides) and all(side.is_grey for side in sides)


def _choose_channels(infos: Sequence[FileInfo], *, is_grey: bool) -> int:
    """The number of channels with which most files can be read, the fewest that lose no colour."""
    modes = {info.channels for info in infos}
    choices = [1] if is_grey or modes == {1} else []
    choices += [3, *sorted(modes)]
    readable = [sum(info.has_channels(channels) for info in infos) for channels in choices]
    return choices[readable.index(max(readable))]


def check_pixels(readings: Sequence[PairStats], folders: FolderNames) -> Iterator[Finding]:
    """Reports files of another depth or of other channels than most, which no one setting reads."""
    wrong: dict[str, dict[Path, None]] = {"depth": {}, "channels": {}}
    for folder in find_folder_pixels(readings, folders):
        infos = {} if folder.classes is not None else folder.files
        wrong["depth"] |= {file: None for file, info in infos.items() if info.depth != folder.depth}
        wrong["channels"] |= {file: None for file, info in infos.items() if not info.has_channels(folder.channels)}
    for kind, what in (("depth", "depth"), ("channels", "number of channels")):
        if files := list(wrong[kind]):
            message = f"{pluralize(len(files), 'file has', 'files have')} another {what} than most"
            yield Finding("error", kind, message, "Convert them: training reads all files alike.", files)


def suggest_pixel_settings(readings: Sequence[PairStats], folders: FolderNames, direction: Direction) -> list[str]:
    """The settings of depths, ranges, channels, label map and palette, and of folders with names of their own."""
    found = find_folder_pixels(readings, folders)
    label_map = next((folder for folder in found if folder.classes is not None), None)
    source_letter = letter_of("source", direction)
    is_joined = label_map is not None and label_map.letter == source_letter and len(folders[source_letter]) > 1
    words = _folder_settings(found, folders, label_map if is_joined else None)
    depths = {folder.letter: folder.depth for folder in found if folder is not label_map}
    if set(depths.values()) <= {8}:
        depths = {}
    elif len(depths) == 2 and len(set(depths.values())) == 1:
        words.append(f"data.depth={next(iter(depths.values()))}")
        depths = {}
    makes_two_channels = any(folder.letter != source_letter and folder.channels == 2 for folder in found)
    for letter, image in zip(order_letters(direction), SIDES, strict=True):
        parts = [folder for folder in found if folder.letter == letter and folder is not label_map]
        words += [f"data.{image}_depth={depths[letter]}"] if depths.get(letter, 8) != 8 else []
        ranges = [part.value_range for part in parts if part.value_range]
        if ranges:
            words.append(f"data.{image}_range=[{min(low for low, _ in ranges):g},{max(high for _, high in ranges):g}]")
        # Two channels made from one are Lab's a and b: grey inputs of other two channels are read as RGB.
        read_as_rgb = {1, 3} if image == "source" and makes_two_channels else {3}
        if len(folders[letter]) == len(parts) == 1 and parts[0].channels not in read_as_rgb:
            words.append(f"data.{image}_channels={parts[0].channels}")
    labels = label_settings(label_map.classes or 2, label_map.letter) if label_map else []
    return words + [word for word in labels if not (is_joined and word.startswith("data.label_map"))]


def _folder_settings(
    found: Sequence[FolderPixels], folders: FolderNames, joined: FolderPixels | None = None
) -> list[str]:
    """The folders by their names, with the channels of several; `joined` is a label map among several inputs."""
    if folders == {"A": ("A",), "B": ("B",)}:
        return []
    shown = []
    for letter in LETTERS:
        parts = [
            f"{_quote(folder.name)}: {'classes' if folder is joined else folder.channels}"
            for folder in found
            if folder.letter == letter
        ]
        names = _quote(folders[letter][0]) if len(folders[letter]) == 1 else f"{{{', '.join(parts)}}}"
        shown.append(f"{letter}: {names}")
    return [f"data.folders={{{', '.join(shown)}}}"]


def _quote(name: str) -> str:
    """A name as Hydra's grammar reads it within braces."""
    return name if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) else f"'{name}'"
