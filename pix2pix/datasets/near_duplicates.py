"""Finds near-duplicate images."""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

SIDE = 16
ALIKE = 0.998  # correlation of thumbnails; the nearest two different photos of the paper's sets reach 0.994
CLOSE = 6.0  # mean difference of thumbnails in 255ths; a photo by day and the same by night are two pictures
CONTRAST = 6.0  # standard deviation in 255ths below which thumbnails are too flat to be told apart
BLOCK = 1024

Thumbnail = np.ndarray
"""A picture at 16x16, uint8 (16, 16, 3)."""


def make_thumbnail(picture: Image.Image) -> Thumbnail:
    """The picture, of mode RGB, at 16x16 by averaging."""
    return np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BOX))


def picture_digest(picture: Image.Image) -> bytes:
    """A digest of size and pixels: equal for equal pictures, whatever files they are in."""
    return hashlib.blake2b(repr(picture.size).encode() + picture.tobytes(), digest_size=16).digest()


def find_near_duplicates(thumbnails: Sequence[Thumbnail], digests: Sequence[bytes]) -> list[list[int]]:
    """Sets of indices of pictures that are the same or nearly so, each in ascending order; single ones are left out.

    Flat pictures (a plain sky, open water) count as the same only when they are so exactly.
    """
    leader = np.arange(len(thumbnails))

    def find(index: int) -> int:
        while leader[index] != index:
            leader[index] = leader[leader[index]]
            index = int(leader[index])
        return index

    for one, other in [*_find_equal(digests), *_find_similar(thumbnails)]:
        first, second = sorted((find(one), find(other)))
        leader[second] = first
    members: dict[int, list[int]] = {}
    for index in range(len(thumbnails)):
        members.setdefault(find(index), []).append(index)
    return [group for group in members.values() if len(group) > 1]


def _find_equal(digests: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    first: dict[bytes, int] = {}
    for index, key in enumerate(digests):
        if first.setdefault(key, index) != index:
            yield first[key], index


def _find_similar(thumbnails: Sequence[Thumbnail]) -> Iterator[tuple[int, int]]:
    """Pairs of near duplicates, found block against block so that memory stays small."""
    if not len(thumbnails):
        return
    pixels = np.stack(thumbnails).reshape(len(thumbnails), -1).astype(np.float32)
    centred = pixels - pixels.mean(axis=1, keepdims=True)
    spread = centred.std(axis=1, keepdims=True)
    unit = np.where(spread > CONTRAST, centred / (np.maximum(spread, 1) * np.sqrt(pixels.shape[1])), 0)
    for start in range(0, len(unit), BLOCK):
        for other in range(start, len(unit), BLOCK):
            for i, j in np.argwhere(unit[start : start + BLOCK] @ unit[other : other + BLOCK].T > ALIKE):
                one, two = start + int(i), other + int(j)
                if one < two and np.abs(pixels[one] - pixels[two]).mean() < CLOSE:
                    yield one, two
