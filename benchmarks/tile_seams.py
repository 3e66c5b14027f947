"""Visibility of tile borders: the largest step across a border, relative to the picture translated whole.

    python benchmarks/tile_seams.py outputs/facades picture.png --tile 256

A seam is a step in one direction along the length of a border: the mean over the border of what one side exceeds the
other by, in levels of 8 bits. Beside it, what tiles give that normalise themselves and do not overlap.
"""

import argparse
from pathlib import Path
from unittest import mock

import numpy as np
import torch

from pix2pix import load_translator
from pix2pix.core.errors import exit_with_message
from pix2pix.data.images.decode import read_picture
from pix2pix.inference.mode import normalize_by_picture
from pix2pix.inference.tiling import Axis, Statistics


def largest_step(tiled: np.ndarray, whole: np.ndarray, axis: int, borders: list[int]) -> float:
    """The largest mean step across lines at `borders` along an axis, in levels."""
    others = tuple({0, 1, 2} - {axis})
    steps = [np.diff(image.astype(float), axis=axis).mean(axis=others) for image in (tiled, whole)]
    return max((abs((steps[0] - steps[1])[border - 1]) for border in borders), default=0.0)


def first_come(axis: Axis) -> list[torch.Tensor]:
    """Weights without blending: each pixel belongs to the first tile that covers it."""
    ends = [0, *(start + axis.side for start in axis.starts)]
    return [(torch.arange(axis.side) + start >= end).float() for start, end in zip(axis.starts, ends, strict=False)]


def main() -> None:
    """Prints one line per way of tiling."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("picture", type=Path)
    parser.add_argument("--tile", type=int, default=1024)
    options = parser.parse_args()
    picture = read_picture(options.picture)
    whole = np.asarray(load_translator(options.run, tile=None)(picture))
    translator = load_translator(options.run, tile=options.tile)
    if picture.height * picture.width <= options.tile**2:
        raise SystemExit(f"{options.picture} has no more pixels than a tile: it goes whole. Choose a smaller --tile.")
    multiple, borders = translator.multiple, []
    for length in (picture.height, picture.width):
        axis = Axis(-(-length // multiple) * multiple, options.tile, options.tile // 4, multiple)
        edges = {edge for start in axis.starts for edge in (start, start + axis.side)}
        borders.append(sorted(edge for edge in edges if 0 < edge < length))

    def report(kind: str) -> None:
        tiled = np.asarray(translator(picture))
        step = max(largest_step(tiled, whole, axis, borders[axis]) for axis in (0, 1))
        off = np.abs(tiled.astype(int) - whole).mean()
        print(f"{kind:34} largest step across a border {step:5.2f} levels, mean difference from the whole {off:5.2f}")

    report("shared statistics, blended")
    with mock.patch.object(Statistics, "apply", lambda self, norm, x: normalize_by_picture(norm, x)):
        report("their own statistics, blended")
        with mock.patch.object(Axis, "weights", first_come):
            report("their own statistics, side by side")


if __name__ == "__main__":
    with exit_with_message():
        main()
