"""Reads the tags that say where on earth a GeoTIFF lies, and adds them to a TIFF (OGC 19-008r4, GeoTIFF 1.1).

Pillow's directories know no BigTIFF in big-endian order, and tifffile is an extra; rasterio would bring all of GDAL for
six tags that are copied as they are.
"""

import struct
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from PIL.TiffImagePlugin import ImageFileDirectory_v2

GeoTags = dict[int, tuple[Any, ...] | str]

PIXEL_SCALE, TIE_POINTS, TRANSFORMATION = 33550, 33922, 34264
KEYS, DOUBLES, TEXTS = 34735, 34736, 34737
PLACES = (PIXEL_SCALE, TIE_POINTS, TRANSFORMATION, KEYS, DOUBLES, TEXTS)
ASCII, SHORT, DOUBLE = 2, 3, 12  # types of TIFF 6.0
CODES = {ASCII: "s", SHORT: "H", DOUBLE: "d"}  # of `struct`
TYPES = {KEYS: SHORT, TEXTS: ASCII}  # others are DOUBLE
ORDERS = {b"II": "<", b"MM": ">"}
BIG = 43  # the version of BigTIFF
MOST_PAGES = 16  # that are looked at, as thumbnails may lie in front


class _Layout(NamedTuple):
    """How numbers are stored in a TIFF: their byte order, and the wider offsets of BigTIFF."""

    order: str
    is_big: bool

    def read(self, file: BinaryIO, codes: str) -> tuple[Any, ...]:
        """The next numbers. Raises struct.error where the file ends."""
        layout = struct.Struct(self.order + codes)
        return layout.unpack(file.read(layout.size))


def read_geo_tags(path: Path) -> GeoTags:
    """The tags of the place on earth in a file; none in one that has no place, is damaged or is no TIFF."""
    try:
        with path.open("rb") as file:
            order = ORDERS.get(file.read(2))
            return _read_pages(file, order) if order else {}
    except (OSError, struct.error, UnicodeError, OverflowError):
        return {}


def _read_pages(file: BinaryIO, order: str) -> GeoTags:
    (version,) = struct.unpack(f"{order}H", file.read(2))
    layout = _Layout(order, version == BIG)
    (offset,) = layout.read(file, "4xQ" if layout.is_big else "L")
    for _ in range(MOST_PAGES):
        if not offset:
            break
        file.seek(offset)
        found, offset = _read_page(file, layout)
        if found:
            return found
    return {}


def _read_page(file: BinaryIO, layout: _Layout) -> tuple[GeoTags, int]:
    """The tags of the place in a directory, and where the next directory is."""
    number, length = ("Q", 8) if layout.is_big else ("L", 4)
    (entries,) = layout.read(file, "Q" if layout.is_big else "H")
    found: GeoTags = {}
    for _ in range(entries):
        tag, kind, count, content = layout.read(file, f"HH{number}{length}s")
        if tag in PLACES and kind == TYPES.get(tag, DOUBLE):
            found[tag] = _read_value(file, layout, kind, count, content)
    return found, layout.read(file, number)[0]


def _read_value(file: BinaryIO, layout: _Layout, kind: int, count: int, content: bytes) -> tuple[Any, ...] | str:
    """The value of a tag, which lies in the directory itself where it fits and else elsewhere in the file."""
    values = struct.Struct(f"{layout.order}{count}{CODES[kind]}")
    if values.size > len(content):
        place = file.tell()
        (offset,) = struct.unpack(layout.order + ("Q" if layout.is_big else "L"), content)
        file.seek(offset)
        content = file.read(values.size)
        file.seek(place)
    found = values.unpack(content[: values.size])
    return found[0].rstrip(b"\0").decode("ascii") if kind == ASCII else found


def to_pillow(tags: GeoTags) -> ImageFileDirectory_v2:
    """The tags as Pillow writes them into a TIFF (`tiffinfo`)."""
    directory = ImageFileDirectory_v2()
    for tag, value in tags.items():
        directory.tagtype[tag] = TYPES.get(tag, DOUBLE)
        directory[tag] = value
    return directory


def to_tifffile(tags: GeoTags) -> list[tuple[int, int, int, Any, bool]]:
    """The tags as tifffile writes them into a TIFF (`extratags`)."""
    return [(tag, TYPES.get(tag, DOUBLE), len(value), value, True) for tag, value in tags.items()]
