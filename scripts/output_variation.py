"""How outputs of evaluated runs vary and correlate with the targets from pair to pair.

python scripts/output_variation.py outputs/facades_loss/* --split test
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pix2pix.core.errors import exit_with_message
from pix2pix.core.utf8 import ensure_utf8
from pix2pix.data.images.value_range import normalize
from pix2pix.training.callbacks.collapse_monitor import OutputVariation


def read(file: Path) -> Tensor:
    with Image.open(file) as picture:
        return normalize(torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1))[None]


def main() -> None:
    """Reads the pictures that `pix2pix evaluate` wrote in each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--split", default="val")
    options = parser.parse_args()
    for run in options.runs:
        measure, images = OutputVariation(), run / "evaluation" / options.split / "images"
        for output in sorted(images.glob("*_output.png")):
            measure.add(read(output), read(output.with_name(output.name.replace("_output", "_target"))))
        if measure.count:
            print(f"{run.name}: variation {measure.variation():.2f}, correlation {measure.correlation():.2f}")
        else:
            remedy = f"pix2pix evaluate {run} --split {options.split}"
            raise FileNotFoundError(f"{images}: no pictures of an evaluation. Write them: {remedy}")


if __name__ == "__main__":
    ensure_utf8()
    with exit_with_message():
        main()
