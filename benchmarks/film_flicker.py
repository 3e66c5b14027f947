"""Measures what `pix2pix translate --smooth` does to a film whose motion and whose target are known.

Window of 256x256 that moves over two facades side by side, 3 pixels a frame, 24 frames, three times: the label maps are
translated by the built-in `facades`, the photos are the targets. Along the motion means: each frame against the one
before, moved by those 3 pixels, so that only flicker remains.

    python benchmarks/film_flicker.py ../shared/datasets/facades/test
"""

import argparse
import itertools
from pathlib import Path

import numpy as np
from natsort import natsorted
from PIL import Image

from pix2pix import load_translator
from pix2pix.core.errors import exit_with_message
from pix2pix.inference.motion import MotionSmoother

FRAMES, STEP, SIDE, FILMS = 24, 3, 256, 3
FIRST = 5  # frame from which targets are compared: before, the mixtures hold few frames


def make_film(files: list[Path]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Label maps and photos of a window that moves over the pictures of `files`, photo left and label map right."""
    pictures = [np.asarray(Image.open(file).convert("RGB")) for file in files]
    photo, labels = (
        np.concatenate([half(picture) for picture in pictures], axis=1) for half in (_left_half, _right_half)
    )
    starts = [STEP * number for number in range(FRAMES)]
    return tuple([wide[:, start : start + SIDE].copy() for start in starts] for wide in (labels, photo))  # pyright: ignore


def _left_half(picture: np.ndarray) -> np.ndarray:
    return picture[:, : picture.shape[1] // 2]


def _right_half(picture: np.ndarray) -> np.ndarray:
    return picture[:, picture.shape[1] // 2 :]


def smooth_plainly(outputs: list[np.ndarray], weight: float) -> list[np.ndarray]:
    """Mixes each frame with those before where they are."""
    return list(itertools.accumulate(outputs, lambda mixture, frame: weight * mixture + (1 - weight) * frame))


def smooth_along_motion(sources: list[np.ndarray], outputs: list[np.ndarray], weight: float) -> list[np.ndarray]:
    """Mixes each frame with those before, moved along the motion of the inputs."""
    smoother = MotionSmoother(weight)
    return [smoother.smooth(source, output) for source, output in zip(sources, outputs, strict=True)]


def measure(frames: list[np.ndarray], targets: list[np.ndarray]) -> list[float]:
    """Change along the motion, L1 to the target, and sharpness (step to the neighbouring pixels), of 255 levels."""
    along = [np.abs(a[:, STEP:] - b[:, :-STEP]).mean() for a, b in itertools.pairwise(frames)]
    l1 = [np.abs(frame - target).mean() for frame, target in zip(frames[FIRST:], targets[FIRST:], strict=True)]
    sharp = [np.abs(np.diff(f, axis=0)).mean() + np.abs(np.diff(f, axis=1)).mean() for f in frames[FIRST:]]
    return [float(np.mean(each)) for each in (along, l1, sharp)]


def main() -> None:
    """Prints a table: method, change along the motion, L1, sharpness."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    files = natsorted(folder.glob("*.jpg"), key=str)
    if len(files) < 2:
        raise ValueError(f"{folder}: has no frames of a film. Give a folder of frames, .jpg.")
    translator, rows = load_translator("facades"), {}
    for first in range(0, 10 * FILMS, 10):
        labels, photos = make_film(files[first : first + 2])
        outputs = [np.asarray(translator(frame, name="film"), np.float32) for frame in labels]
        sources, targets = ([np.float32(frame) for frame in frames] for frames in (labels, photos))
        methods = {"the photos": targets, "not smoothed": outputs}
        for weight in (0.3, 0.5, 0.7):
            methods[f"mixed in place, {weight}"] = smooth_plainly(outputs, weight)
            methods[f"mixed along the motion, {weight}"] = smooth_along_motion(sources, outputs, weight)
        for name, frames in methods.items():
            rows.setdefault(name, []).append(measure(frames, targets))
    for name, values in rows.items():
        print(f"{name:28}", *(f"{value:7.1f}" for value in np.mean(values, axis=0)))


if __name__ == "__main__":
    with exit_with_message():
        main()
