"""Label maps that are about to be read as pictures are recognised by their numbers."""

import numpy as np
import pytest

from pix2pix.data.images.class_numbers import count_classes, highest_class

RANDOM = np.random.default_rng(0)


def image(*values: int, kind=np.uint8) -> np.ndarray:
    return np.resize(np.array(values, kind), (1, 6, 8))


@pytest.mark.parametrize(
    ("images", "classes"),
    [
        ([image(0, 1), image(0)], 2),
        ([image(0, 1, kind=np.uint16)], 2),
        ([image(*range(19)), image(3, 255)], 19),
        ([image(0, 1).repeat(3, axis=0)], 2),
        ([image(0), image(0)], None),  # black pictures
        ([image(0, 255)], None),  # black and white ones
        ([image(0, 1), image(0, 200)], None),
        ([image(0, 1), RANDOM.integers(0, 9, (3, 6, 8), np.uint8)], None),  # colours
        ([image(0, 1).astype(np.float32)], None),
        ([], None),
    ],
)
def test_small_numbers_alone_are_classes(images, classes):
    assert count_classes([highest_class(each) for each in images]) == classes
