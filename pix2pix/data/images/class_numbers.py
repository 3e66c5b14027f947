"""Recognises label maps that are about to be read as pictures: their classes, small numbers, would look black."""

from collections.abc import Sequence

import numpy as np

from pix2pix.data.images.palettes import VOID

LARGEST = 48  # pictures hold brighter levels than this, label maps seldom more classes


def highest_class(image: np.ndarray) -> int | None:
    """The highest class in a grey image (C, H, W) of small integers, 255 aside; None for a picture."""
    if image.dtype.kind not in "ui" or not (image == image[:1]).all():
        return None
    classes = image[0][image[0] != VOID]
    is_small = not classes.size or (classes.min() >= 0 and classes.max() < LARGEST)
    return int(classes.max(initial=0)) if is_small else None


def count_classes(highest: Sequence[int | None]) -> int | None:
    """How many classes images with these highest classes seem to hold; None where one is a picture, or all are 0."""
    known = [each for each in highest if each is not None]
    return max(known) + 1 if len(known) == len(highest) and any(known) else None


def label_settings(classes: int, letter: str) -> list[str]:
    """The settings by which image A or B is read as a label map of so many classes."""
    return [f"data.label_map={letter}", f"data.palette={classes}"]


def advise_on_classes(classes: int, letter: str) -> tuple[str, str]:
    """What the files of image A or B hold, and how to have them read."""
    found = f"the files of {letter} hold no other numbers than 0 to {classes - 1}, so they look black"
    words = " ".join(label_settings(classes, letter))
    return found, f"If these are the classes of label maps, set {words} (data.one_hot=true: a channel for each class)."
