"""Finds near-duplicate images."""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from pix2pix.datasets.union_find import merge_groups

SIDE = 16
MIN_CORRELATION = 0.998  # of thumbnails; the two most similar photos of the paper's sets reach 0.994
MAX_DIFFERENCE = 6.0  # mean, of thumbnails, in 255ths; a place by day and by night makes two pictures
MIN_CONTRAST = 6.0  # standard deviation in 255ths; flatter thumbnails cannot be told apart
BLOCK = 1024  # pictures that are compared at once

Thumbnail = np.ndarray
"""A picture at 16x16, uint8 (16, 16, 3)."""


def make_thumbnail(picture: Image.Image) -> Thumbnail:
    """Averages a picture of mode RGB down to 16x16."""
    return np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BOX))


def picture_digest(picture: Image.Image) -> bytes:
    """A hash of size and pixels: equal for equal pictures in different files."""
    return hashlib.blake2b(repr(picture.size).encode() + picture.tobytes(), digest_size=16).digest()


def find_near_duplicates(thumbnails: Sequence[Thumbnail], digests: Sequence[bytes]) -> list[list[int]]:
    """Groups the indices of equal or nearly equal pictures, ascending. A picture without a duplicate is left out.

    Flat pictures (a plain sky, open water) are duplicates only when they are equal.
    """
    merged = merge_groups(len(thumbnails), [*_find_equal(digests), *_find_similar(thumbnails)])
    return [group for group in merged if len(group) > 1]


def _find_equal(digests: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    first: dict[bytes, int] = {}
    for index, key in enumerate(digests):
        if first.setdefault(key, index) != index:
            yield first[key], index


def _find_similar(thumbnails: Sequence[Thumbnail]) -> Iterator[tuple[int, int]]:
    """Pairs of near duplicates. Compares block with block, so that memory stays small."""
    if not len(thumbnails):
        return
    pixels = np.stack(thumbnails).reshape(len(thumbnails), -1).astype(np.float32)
    # Each thumbnail minus its mean, at length one: products of these are correlations. Flat pictures become 0, which
    # correlates with nothing.
    centred = pixels - pixels.mean(axis=1, keepdims=True)
    spread = centred.std(axis=1, keepdims=True)
    unit = np.where(spread > MIN_CONTRAST, centred / (np.maximum(spread, 1) * np.sqrt(pixels.shape[1])), 0)
    for start in range(0, len(unit), BLOCK):
        for other in range(start, len(unit), BLOCK):
            for i, j in np.argwhere(unit[start : start + BLOCK] @ unit[other : other + BLOCK].T > MIN_CORRELATION):
                # Correlation ignores brightness, so the pixels themselves must be close, too.
                one, two = start + int(i), other + int(j)
                if one < two and np.abs(pixels[one] - pixels[two]).mean() < MAX_DIFFERENCE:
                    yield one, two
