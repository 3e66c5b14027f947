"""The place on earth of a GeoTIFF: read from any TIFF, written by Pillow and by tifffile."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from pix2pix.data.images.geotiff import read_geo_tags
from pix2pix.data.images.pictures import save_picture

PIXELS = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)
PLACE = {
    33550: (10.0, 10.0, 0.0),
    33922: (0.0, 0.0, 0.0, 5e5, 4.6e6, 0.0),
    34735: (1, 1, 0, 2, 1024, 0, 1, 1, 3072, 0, 1, 32633),
    34736: (6378137.0,),
    34737: "WGS 84|",
}
EXTRA = [
    (tag, {34735: "H", 34737: "s"}.get(tag, "d"), 0 if tag == 34737 else len(value), value, True)
    for tag, value in PLACE.items()
]


@pytest.mark.parametrize("options", [{}, {"byteorder": ">"}, {"bigtiff": True}, {"bigtiff": True, "byteorder": ">"}])
@pytest.mark.parametrize("picture", [Image.fromarray(PIXELS), PIXELS.astype(np.float32), PIXELS.astype(np.uint16)])
def test_the_place_is_kept_from_tiff_to_tiff(tmp_path, options, picture):
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, photometric="rgb", extratags=EXTRA, **options)
    found = read_geo_tags(tmp_path / "a.tif")
    assert found == PLACE
    save_picture(picture, tmp_path / "b.tif", geo_tags=found)
    assert read_geo_tags(tmp_path / "b.tif") == PLACE
    assert np.array_equal(tifffile.imread(tmp_path / "b.tif"), np.asarray(picture))


def test_a_thumbnail_in_front_does_not_hide_the_place(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(PIXELS[:2, :2], photometric="rgb", subfiletype=1)
        writer.write(PIXELS, photometric="rgb", extratags=EXTRA)
    assert read_geo_tags(tmp_path / "a.tif") == PLACE


def test_other_files_have_no_place(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    Image.fromarray(PIXELS).save(tmp_path / "a.tif")
    (tmp_path / "cut.tif").write_bytes((tmp_path / "a.tif").read_bytes()[:12])
    (tmp_path / "empty.tif").write_bytes(b"")
    assert [read_geo_tags(file) for file in tmp_path.iterdir()] == [{}] * 4
