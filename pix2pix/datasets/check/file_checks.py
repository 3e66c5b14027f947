"""Checks single files and pairs, and finds duplicate pictures."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from pix2pix.core.plurals import pluralize
from pix2pix.data.images.class_numbers import advise_on_classes
from pix2pix.data.images.decode import JPEG
from pix2pix.datasets.check.file_info import FileInfo
from pix2pix.datasets.check.findings import Finding, Severity
from pix2pix.datasets.check.measure import ImageStats, PairStats
from pix2pix.datasets.check.pixel_settings import count_class_numbers
from pix2pix.datasets.near_duplicates import find_near_duplicates

MAX_BLANK_SPREAD = 1.5  # in 255ths, of an image that shows nothing
MIN_PARTNER_SPREAD = 15  # of the other image: a photo of open water is flat, and its map is rightly blank
WHITE = 250  # mean of a white image
MIN_SIDE = 64
SUFFIXES: dict[str | None, set[str]] = {
    "JPEG": set(JPEG),
    "PNG": {".png"},
    "WEBP": {".webp"},
    "BMP": {".bmp"},
    "TIFF": {".tif", ".tiff"},
}


def check_files(readings: Sequence[PairStats]) -> Iterator[Finding]:
    """Reports unreadable files, odd widths, and unusual kinds of files."""
    broken = {file: reason for reading in readings for file, reason in reading.unreadable.items()}
    if broken:
        reason = next(iter(broken.values())).rstrip(".")
        message = f"{pluralize(len(broken), 'file', 'files')} cannot be read ({reason})"
        yield Finding("error", "broken", message, "Replace or remove.", list(broken))
    odd = [reading.entry.files[0] for reading in readings if reading.has_odd_width]
    if odd:
        message = f"{pluralize(len(odd), 'side-by-side file', 'side-by-side files')} of odd width, not two equal halves"
        yield Finding("error", "odd-width", message, "Crop, or put A and B into two folders, trainA/ and trainB/.", odd)
    infos = [each for reading in readings for each in reading.file_infos.items()]
    for severity, kind, message, remedy, applies in KINDS:
        files = [file for file, info in infos if applies(file, info)]
        if files:
            yield Finding(severity, kind, f"{pluralize(len(files), 'file', 'files')} {message}", remedy, files)
    yield from _check_mixed_modes(infos)


KINDS: tuple[tuple[Severity, str, str, str, Callable[[Path, FileInfo], bool]], ...] = (
    (
        "warning",
        "transparent",
        "with transparent pixels, which are blended with white",
        "Flatten them onto another background if that is not meant, or set 4 channels to keep them.",
        lambda file, kind: kind.has_transparency,
    ),
    (
        "warning",
        "cmyk",
        "in CMYK, converted to RGB without a colour profile",
        "Convert them to RGB with their profile.",
        lambda file, kind: kind.mode == "CMYK",
    ),
    (
        "note",
        "rotated",
        "with an EXIF orientation, turned upright when read",
        "Nothing, unless A and B were photographed differently.",
        lambda file, kind: kind.is_rotated,
    ),
    (
        "note",
        "suffix",
        "whose suffix names another format than they have",
        "Nothing: pictures are recognised by their content.",
        lambda file, kind: (
            kind.format is not None and kind.format in SUFFIXES and file.suffix.lower() not in SUFFIXES[kind.format]
        ),
    ),
)


def check_pairs(readings: Sequence[PairStats]) -> Iterator[Finding]:
    """Reports pairs with a blank image, with two equal images, or with images of different shapes."""
    read = [(reading, *reading.sides) for reading in readings if reading.sides]
    classes = list(count_class_numbers(readings).values())
    yield from _check_class_numbers(classes)
    blank = [
        (reading, sides[which])
        for reading, *sides in read
        for which in (0, 1)
        if classes[which] is None and _is_blank(sides[which], sides[1 - which])
    ]
    if blank:
        severity: Severity = "error" if len(blank) > len(read) / 2 else "warning"
        white = sum(side.mean > WHITE for _, side in blank)
        message = f"{pluralize(len(blank), 'pair', 'pairs')} with an image of one colour ({white} of them white)"
        yield Finding(
            severity,
            "constant",
            message,
            "Remove them if they should show something.",
            _list_files(r for r, _ in blank),
        )
    same = [r for r, a, b in read if a.digest == b.digest and a.spread > MAX_BLANK_SPREAD]
    if same:
        message = f"{pluralize(len(same), 'pair', 'pairs')} whose A equals B"
        yield Finding("error", "identical", message, "Give each its own input and target.", _list_files(same))
    yield from _check_shapes(read)


def _check_class_numbers(counts: Sequence[int | None]) -> Iterator[Finding]:
    for letter, count in zip("AB", counts, strict=True):
        if count is not None:
            yield Finding("warning", "class-numbers", *advise_on_classes(count, letter))


def _is_blank(side: ImageStats, partner: ImageStats) -> bool:
    return side.spread < MAX_BLANK_SPREAD and partner.spread > MIN_PARTNER_SPREAD


def _check_shapes(read: Sequence[tuple[PairStats, ImageStats, ImageStats]]) -> Iterator[Finding]:
    uneven = [r for r, a, b in read if abs(a.size[0] * b.size[1] / (a.size[1] * b.size[0]) - 1) > 0.02]
    if uneven:
        message = f"{pluralize(len(uneven), 'pair', 'pairs')} whose images have different proportions"
        remedy = "They are stretched onto each other: crop them alike (pix2pix data prepare pairs --size)."
        yield Finding("warning", "proportions", message, remedy, _list_files(uneven))
    sizes = {a.size for _, a, _ in read}
    if len(sizes) > 1:
        smallest, largest = min(sizes, key=_area), max(sizes, key=_area)
        message = f"sizes differ, from {smallest[1]}x{smallest[0]} to {largest[1]}x{largest[0]}"
        yield Finding("note", "sizes", message, "All are brought to data.size; crop them if proportions matter.")
    small = [r for r, a, b in read if min(*a.size, *b.size) < MIN_SIDE]
    if small:
        message = f"{pluralize(len(small), 'pair', 'pairs')} of less than {MIN_SIDE} pixels"
        yield Finding(
            "warning", "small", message, "Enlarging adds nothing: train at a smaller data.size.", _list_files(small)
        )


def _check_mixed_modes(infos: Sequence[tuple[Path, FileInfo]]) -> Iterator[Finding]:
    """Reports grey files among coloured ones of a folder."""
    # Grey pictures may be a set of their own, so a folder of nothing else is not reported.
    grey = [file for file, info in infos if info.mode in {"1", "L", "LA", "I;16", "1 channels"}]
    for folder in sorted({file.parent for file in grey}):
        files, count = [f for f in grey if f.parent == folder], sum(f.parent == folder for f, _ in infos)
        if len(files) < count:
            message = f"{pluralize(len(files), 'file', 'files')} without colour among coloured ones in {folder.name}/"
            yield Finding("warning", "mixed-modes", message, "Remove them if colour is what should be learned.", files)


def check_duplicates(readings: Sequence[PairStats], photo: int) -> Iterator[Finding]:
    """Reports pairs that occur twice, judged by the image with more detail: many places have the same map.

    Args:
        readings: the readings of all splits.
        photo: 0 when A has more detail, 1 when B has.
    """
    read = [(reading, reading.sides) for reading in readings if reading.sides]
    found = find_near_duplicates(
        [sides[photo].thumbnail for _, sides in read], [sides[photo].digest for _, sides in read]
    )
    within, across = [], []
    for group in found:
        entries = [read[index][0].entry for index in group]
        (across if len({entry.split for entry in entries}) > 1 else within).append(entries)
    if across:
        message = f"{pluralize(len(across), 'picture is', 'pictures are')} in more than one split, exactly or nearly"
        remedy = "Remove all but one, or split anew: pix2pix data prepare split. Until then the evaluation flatters."
        yield Finding("warning", "leak", message, remedy, [e.files[0] for entries in across for e in entries])
    if within:
        message = f"{pluralize(len(within), 'picture is', 'pictures are')} more than once in a split, exactly or nearly"
        yield Finding("note", "duplicates", message, "Remove all but one.", [e.files[0] for es in within for e in es])


def _list_files(readings: Iterable[PairStats]) -> list[Path]:
    return [file for reading in readings for file in reading.entry.files]


def _area(size: tuple[int, int]) -> int:
    return size[0] * size[1]
