"""Facades drawn by code: label maps in the twelve CMP classes, and a rendered photo of each. No files, any size."""

import numpy as np

from pix2pix.data.images.class_colours import CMP_FACADES as PALETTE
from pix2pix.data.sources.synthetic.appearance import draw_appearance, usual_material
from pix2pix.data.sources.synthetic.layout import plan_facade
from pix2pix.data.sources.synthetic.render import Picture, Scene, render_labels, render_photo

__all__ = ["PALETTE", "draw_facade"]


def draw_facade(index: int, *, seed: int, height: int, width: int) -> tuple[Picture, Picture]:
    """Draws facade number `index` of the endless street of `seed`; equal arguments give equal pixels.

    At another size the same building appears; only fine texture differs: it is snapped to whole pixels, or is grain.

    Returns:
        The photo and the label map, both uint8 (height, width, 3); the label map has colours of PALETTE only.

    Raises:
        ValueError: when a side is not positive, or the index or the seed is negative.
    """
    _check(index, seed, height, width)
    plan, looks, surfaces = (np.random.default_rng([seed, index, stream]) for stream in range(3))
    elements = plan_facade(plan)
    scene = Scene(elements, height, width)
    look = draw_appearance(looks, scale=min(height, width) / 256, usual=usual_material(elements))
    return render_photo(scene, look, surfaces), render_labels(scene)


def _check(index: int, seed: int, height: int, width: int) -> None:
    if height < 1 or width < 1:
        raise ValueError(f"size {height}x{width}: height and width must be at least 1. Set data.size to 64 or more.")
    if index < 0 or seed < 0:
        raise ValueError(f"index {index}, seed {seed}: neither may be negative. Count facades from 0.")
