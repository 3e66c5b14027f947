"""Keeps where on earth a GeoTIFF lies, also at another size (extra `geo`: rasterio)."""

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pix2pix.core.extras import MissingExtraError, import_extra
from pix2pix.data.images import tiff
from pix2pix.data.images.picture_files import open_image

# Tags of GeoTIFF 1.1 (OGC 19-008r4): scale of a pixel, tie points, matrix, keys.
PLACE_TAGS = {33550, 33922, 34264, 34735}
MOST_PAGES = 16  # that are looked at


@dataclass(frozen=True)
class Place:
    """Where on earth the pixels of a picture lie.

    Args:
        size: (height, width) of the picture.
        crs: the coordinate system of rasterio; None where the file names none.
        transform: from (column, row) to coordinates, of `affine`.
        points: rasterio's ground control points, of pictures that lie at an angle; else empty.
    """

    size: tuple[int, int]
    crs: Any
    transform: Any
    points: tuple[Any, ...] = ()

    def at_size(self, size: tuple[int, int]) -> "Place":
        """The place of the same picture at another (height, width)."""
        rows, columns = size[0] / self.size[0], size[1] / self.size[1]
        points = tuple(
            type(point)(point.row * rows, point.col * columns, point.x, point.y, point.z, point.id, point.info)
            for point in self.points
        )
        a, b, x, c, d, y = self.transform[:6]
        transform = type(self.transform)(a / columns, b / rows, x, c / columns, d / rows, y)
        return replace(self, size=size, transform=transform, points=points)


def read_place(path: Path) -> Place | None:
    """The place of the picture in a file; None in one that has no place, is damaged or is no TIFF.

    Raises MissingExtraError for a file with a place if rasterio is not installed.
    """
    if path.suffix.lower() not in tiff.SUFFIXES:
        return None
    try:
        rasterio = _import_rasterio()
    except MissingExtraError:
        if _has_place(path):
            raise
        return None
    # A thumbnail may lie in front of the picture; it has no place.
    for page in range(1, MOST_PAGES + 1):
        try:
            with rasterio.open(f"GTIFF_DIR:{page}:{path}") as file:
                found = _read_place(file)
        except rasterio.errors.RasterioError:  # of a damaged file, or behind the last page
            return None
        if found is not None:
            return found
    return None


def _read_place(file: Any) -> Place | None:
    points, crs_of_points = file.gcps
    if not points and file.crs is None and file.transform.is_identity:
        return None
    return Place(file.shape, file.crs or crs_of_points, file.transform, tuple(points))


def _has_place(path: Path) -> bool:
    """Whether a page of a TIFF has a tag of its place, as far as Pillow can read it."""
    try:
        with open_image(path, ("TIFF",)) as image:
            pages: Any = image
            return any(PLACE_TAGS & set(pages.tag_v2) for page in range(pages.n_frames) if pages.seek(page) is None)
    except Exception:  # a damaged file makes Pillow raise errors of any type
        return False


def write_place(path: Path, place: Place) -> None:
    """Adds a place to the TIFF in `path`, whose pixels stay as they are."""
    rasterio = _import_rasterio()
    # Without an .aux.xml beside the file.
    with rasterio.Env(GDAL_PAM_ENABLED="NO"), rasterio.open(path, "r+", driver="GTiff") as file:
        if place.points:
            file.gcps = list(place.points), place.crs
        else:
            file.transform = place.transform
            if place.crs:
                file.crs = place.crs


def _import_rasterio() -> Any:
    rasterio = import_extra("rasterio", "the place on earth of a GeoTIFF", "geo")
    # A file to which a place is added has none before.
    warnings.filterwarnings("ignore", category=rasterio.errors.NotGeoreferencedWarning)
    return rasterio
