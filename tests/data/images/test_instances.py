"""Boundaries between instances, against values worked out by hand (pix2pixHD, section 3.3)."""

import numpy as np
import pytest
import torch
from PIL import Image

from pix2pix.data.encoding import BoundaryEncoding
from pix2pix.data.images.decode import open_picture
from pix2pix.data.images.instances import find_boundaries
from pix2pix.data.images.resize import resize

IDS = np.array([[26001, 26001, 26002, 26002], [26001, 26001, 26002, 26002], [7, 7, 7, 26002], [7, 7, 7, 7]])
BY_HAND = [[0, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 1], [0, 0, 0, 1]]


@pytest.mark.parametrize("kind", ["uint16", "int32"])
def test_both_pixels_beside_a_boundary_are_marked(tmp_path, kind):
    file = tmp_path / "a_instanceIds.png"
    if kind == "uint16":
        Image.fromarray(IDS.astype(np.uint16)).save(file)
    else:
        file = file.with_suffix(".npy")
        np.save(file, IDS.astype(np.int32))
    assert (find_boundaries(open_picture(file)) // 255).tolist() == [[*map(list, BY_HAND)]]


def test_corners_alone_do_not_touch_and_one_instance_has_no_boundary():
    lone = np.zeros((3, 3), np.uint8)
    lone[0, 0] = 1
    assert (find_boundaries(lone) // 255).tolist() == [[[1, 1, 0], [1, 0, 0], [0, 0, 0]]]
    assert not find_boundaries(np.full((5, 5), 9, np.uint16)).any()


def test_no_line_is_lost_in_a_smaller_picture_and_none_is_blurred():
    for place in range(1, 64):
        ids = np.zeros((64, 64), np.uint8)
        ids[:, place:] = 1
        smaller = BoundaryEncoding().resize(find_boundaries(ids), lambda image, **how: resize(image, (9, 9), **how))
        assert smaller.unique().tolist() == [0, 255]
        columns = (smaller[0] == 255).all(dim=0)
        assert 1 <= int(columns.sum()) <= 3
    unchanged = find_boundaries(IDS)
    assert torch.equal(
        BoundaryEncoding().resize(unchanged, lambda image, **how: resize(image, (4, 4), **how)), unchanged
    )
