"""The place on earth of a GeoTIFF: read from any TIFF, written to what Pillow and tifffile write, at any size."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from pix2pix.core import extras
from pix2pix.data.images.geotiff import read_place
from pix2pix.data.images.pictures import save_picture

rasterio = pytest.importorskip("rasterio")
pytestmark = [
    pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning"),  # of a file before it has a place
    pytest.mark.filterwarnings("ignore:Truncated File Read"),  # by Pillow
]

PIXELS = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)
# Ten metres a pixel in zone 33 of UTM.
PLACE = {
    33550: (10.0, 10.0, 0.0),
    33922: (0.0, 0.0, 0.0, 5e5, 4.6e6, 0.0),
    34735: (1, 1, 0, 2, 1024, 0, 1, 1, 3072, 0, 1, 32633),
}
EXTRA = [(tag, {34735: "H"}.get(tag, "d"), len(value), value, True) for tag, value in PLACE.items()]


@pytest.mark.parametrize("options", [{}, {"byteorder": ">"}, {"bigtiff": True}, {"bigtiff": True, "byteorder": ">"}])
@pytest.mark.parametrize("picture", [Image.fromarray(PIXELS), PIXELS.astype(np.float32), PIXELS.astype(np.uint16)])
def test_the_place_is_kept_from_tiff_to_tiff(tmp_path, options, picture):
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, photometric="rgb", extratags=EXTRA, **options)
    place = read_place(tmp_path / "a.tif")
    save_picture(picture, tmp_path / "b.tif", place=place)
    with rasterio.open(tmp_path / "b.tif") as file:
        assert file.crs.to_epsg() == 32633
        assert file.transform[:6] == (10, 0, 5e5, 0, -10, 4.6e6)
    assert np.array_equal(tifffile.imread(tmp_path / "b.tif"), np.asarray(picture))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.tif", "b.tif"]


def test_a_smaller_picture_of_the_same_ground_has_larger_pixels(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, photometric="rgb", extratags=EXTRA)
    place = read_place(tmp_path / "a.tif")
    small = Image.fromarray(PIXELS).resize((6, 2))
    save_picture(small, tmp_path / "b.tif", place=place.at_size((2, 6)))
    with rasterio.open(tmp_path / "a.tif") as file, rasterio.open(tmp_path / "b.tif") as smaller:
        assert file.bounds == smaller.bounds
        assert smaller.res == (20, 40)


def test_control_points_move_with_the_picture(tmp_path):
    points = [
        rasterio.control.GroundControlPoint(row, col, 5e5 + 10 * col, 4.6e6 - 7 * row)
        for row, col in ((0, 0), (0, 12), (8, 0), (8, 12))
    ]
    Image.fromarray(PIXELS).save(tmp_path / "a.tif")
    with rasterio.open(tmp_path / "a.tif", "r+") as file:
        file.gcps = points, rasterio.crs.CRS.from_epsg(32633)
    save_picture(
        Image.fromarray(PIXELS).resize((24, 16)),
        tmp_path / "b.tif",
        place=read_place(tmp_path / "a.tif").at_size((16, 24)),
    )
    with rasterio.open(tmp_path / "b.tif") as file:
        found, crs = file.gcps
    assert crs.to_epsg() == 32633
    assert [(point.row, point.col, point.x, point.y) for point in found] == [
        (2 * point.row, 2 * point.col, point.x, point.y) for point in points
    ]


def test_a_thumbnail_in_front_does_not_hide_the_place(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(PIXELS[:2, :2], photometric="rgb", subfiletype=1)
        writer.write(PIXELS, photometric="rgb", extratags=EXTRA)
    place = read_place(tmp_path / "a.tif")
    assert (place.size, place.crs.to_epsg()) == ((8, 12), 32633)


def test_other_files_have_no_place(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    Image.fromarray(PIXELS).save(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "whole.tif", PIXELS, photometric="rgb", extratags=EXTRA)
    (tmp_path / "cut.tif").write_bytes((tmp_path / "whole.tif").read_bytes()[:200])
    (tmp_path / "whole.tif").unlink()
    (tmp_path / "empty.tif").write_bytes(b"")
    assert [read_place(file) for file in tmp_path.iterdir()] == [None] * 4


def test_without_the_package_only_a_file_with_a_place_asks_for_it(tmp_path, monkeypatch):
    def import_module(name):
        raise ImportError(name)

    monkeypatch.setattr(extras.importlib, "import_module", import_module)
    Image.fromarray(PIXELS).save(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "b.tif", PIXELS, photometric="rgb", extratags=EXTRA)
    assert read_place(tmp_path / "a.tif") is None
    with pytest.raises(extras.MissingExtraError, match=r"pip install 'pix2pix\[geo\]'"):
        read_place(tmp_path / "b.tif")
