"""Suggests the training command that suits a checked data set."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pix2pix.data.direction import Direction, orient
from pix2pix.datasets.check.measure import STEPS, PairStats
from pix2pix.datasets.check.pixel_settings import suggest_pixel_settings
from pix2pix.datasets.check.scan import FolderScan
from pix2pix.datasets.download.catalogue import CATALOGUE

MIN_GROWTH = 1.5  # from one image to the other, in height, from which the smaller one is taken for the input
LARGE_SET = 10_000  # pairs; the paper trains larger sets without jitter, in batches of four


class DirectionGuess(NamedTuple):
    """Which image is simpler, and so probably the input: labels, edges, a drawing, or the same picture in small.

    Args:
        direction: from the simpler image to the other; of images as simple, from the smaller one; None if they are
            alike in both.
        flat: the flat shares of A and of B, each in [0, 1].
        is_by_size: whether the sizes tell the direction.
    """

    direction: Direction | None
    flat: tuple[float, float]
    is_by_size: bool = False

    @property
    def photo(self) -> int:
        """0 if A has more detail, 1 if B has."""
        return int(self.flat[1] < self.flat[0])


def guess_direction(readings: Sequence[PairStats]) -> DirectionGuess:
    """Guesses the direction by the flat shares of A and B, and where these are alike by their sizes."""
    step = -len(STEPS) + STEPS.index(6)
    shares = [[side.colours[step] for side in reading.sides] for reading in readings if reading.sides]
    if not shares:
        return DirectionGuess(None, (0.0, 0.0))
    a, b = (float(share) for share in np.mean(shares, axis=0))
    if abs(a - b) >= 0.05:
        return DirectionGuess("AtoB" if a > b else "BtoA", (a, b))
    heights = [[side.size[0] for side in reading.sides] for reading in readings if reading.sides]
    growth = float(np.median([of_b / of_a for of_a, of_b in heights]))
    by_size: Direction | None = "AtoB" if growth >= MIN_GROWTH else "BtoA" if growth <= 1 / MIN_GROWTH else None
    return DirectionGuess(by_size, (a, b), is_by_size=by_size is not None)


def suggest_command(
    scan: FolderScan, readings: Sequence[PairStats], name: str | None = None, direction: Direction | None = None
) -> str:
    """The `pix2pix train` command for a data set; if the catalogue has its `name`, the experiment of the paper.

    Without a `direction`, the simpler image becomes the source.
    """
    path = scan.path
    if name in CATALOGUE:
        where = [] if path == Path("data") / name else [f"data.root={path.parent}"]
        where = where if path.name == name else [f"data.path={path}"]
        return shlex.join(["pix2pix", "train", f"experiment={name}", *where])
    words = ["pix2pix", "train", "data=folder", f"data.path={path}" if path.is_dir() else f"data.list={path}"]
    direction = scan.direction or direction or guess_direction(readings).direction or "AtoB"
    words += ["data.direction=BtoA"] if direction == "BtoA" else []
    words += _size_settings(readings, direction)
    words += suggest_pixel_settings(readings, scan.folders, direction)
    words += ["data.jitter=false", "data.batch_size=4"] if len(readings) > LARGE_SET else []
    return shlex.join([*words, f"name={path.resolve().stem}"])


def _size_settings(readings: Sequence[PairStats], direction: Direction) -> list[str]:
    """The size of most targets, in powers of two: the inputs are enlarged to it, or reduced."""
    sizes = [orient(*reading.sides, direction)[1].size for reading in readings if reading.sides]
    if not sizes:
        return []
    height, width = (float(side) for side in np.median(sizes, axis=0))
    short = max(32, 2 ** int(np.log2(min(width, height, 256))))
    ratio = round(max(width, height) / min(width, height))
    if ratio == 1:
        return [] if short == 256 else [f"data.size={short}"]
    sides = (short * ratio, short) if width > height else (short, short * ratio)
    return [f"data.width={sides[0]}", f"data.height={sides[1]}"]
