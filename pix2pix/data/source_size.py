"""Measures how large the files of a run's sources are: with the training size, this is the scale of the training."""

from typing import Literal

from pix2pix.core.sequences import evenly_spaced
from pix2pix.data.pair import PairSource

SourceSize = tuple[int, int] | Literal["mixed"]
"""Height and width of all sources in pixels, or `mixed` where they differ."""

MEASURED = 32  # pairs that are looked at, spread evenly over the training set


def measure_source_size(pairs: PairSource) -> SourceSize | None:
    """The size of the training sources before they are resized; None where none of those looked at can be read."""
    sizes = set()
    for index in evenly_spaced(len(pairs.split("train")), MEASURED):
        try:
            sizes.add(pairs.source_size("train", index))
        except (ValueError, OSError):  # reported when it is read: data.on_error decides what happens to it
            continue
    # One size among all that were looked at stands for the data set.
    if not sizes:
        return None
    return sizes.pop() if len(sizes) == 1 else "mixed"
