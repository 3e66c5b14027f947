"""Sunlight, shadows and noise textures over whole pictures."""

import numpy as np

from pix2pix.data.sources.synthetic.appearance import Appearance
from pix2pix.data.sources.synthetic.patch import Field


def draw_fields(rng: np.random.Generator, height: int, width: int) -> dict[str, Field]:
    """Noise (height, width), about [-1, 1]; the same at every size but for `grain`, which is one draw per pixel."""
    soft = _octave(rng, 5, 5, height, width) + 0.5 * _octave(rng, 11, 11, height, width)
    rough = _octave(rng, 24, 24, height, width) + 0.7 * _octave(rng, 56, 56, height, width)
    streaks = _octave(rng, 6, 70, height, width)
    grain = rng.uniform(-1, 1, (height, width)).astype(np.float32)
    return {"soft": soft, "rough": rough, "streaks": streaks, "grain": grain}


def shadows(relief: Field, look: Appearance) -> Field:
    """Where the sun does not reach, in [0, 1]: a march from each pixel towards the sun over relief (H, W) in pixels."""
    down, right = look.sun
    reach = int(np.ceil(relief.max() - relief.min()))
    margin = int(np.ceil(reach * max(down, abs(right)))) + 1
    padded = np.pad(relief, margin, mode="edge")
    height, width = relief.shape
    shade = np.zeros_like(relief)
    for step in range(1, reach + 1):
        top, left = margin - round(step * down), margin - round(step * right)
        np.maximum(shade, padded[top : top + height, left : left + width] - relief - (step - 0.5), out=shade)
    return blur(np.minimum(shade, 1), 1)


def occlusion(relief: Field, radius: int) -> Field:
    """How deep a pixel lies below its surroundings, in [0, 1]: what sees little of the sky."""
    return np.clip((blur(relief, radius) - relief) / (3 * radius), 0, 1)


def blur(field: Field, radius: int) -> Field:
    """The mean of (H, W) over squares of side 2 * radius + 1."""
    return np.ascontiguousarray(_mean_rows(_mean_rows(field, radius).T, radius).T)


def _mean_rows(field: Field, radius: int) -> Field:
    side = 2 * radius + 1
    sums = np.cumsum(np.pad(field, ((radius + 1, radius), (0, 0)), mode="edge"), axis=0)
    return (sums[side:] - sums[:-side]) / np.float32(side)


def _octave(rng: np.random.Generator, rows: int, columns: int, height: int, width: int) -> Field:
    """Noise on a lattice of rows x columns, smoothly interpolated."""
    lattice = rng.uniform(-1, 1, (rows + 1, columns + 1)).astype(np.float32)
    (top, y), (left, x) = _places(rows, height), _places(columns, width)
    lines = lattice[top] + (lattice[top + 1] - lattice[top]) * y[:, None]
    before, after = np.take(lines, left, axis=1), np.take(lines, left + 1, axis=1)
    return before + (after - before) * x


def _places(cells: int, pixels: int) -> tuple[np.ndarray, Field]:
    """The lattice cell of every pixel and its place in it, eased so that no creases show."""
    place = (np.arange(pixels, dtype=np.float32) + np.float32(0.5)) * np.float32(cells / pixels)
    cell = np.minimum(place.astype(np.intp), cells - 1)
    t = place - cell
    return cell, t * t * (3 - 2 * t)
