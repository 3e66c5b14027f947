"""Writes the same pictures of several runs as one picture: a row per input, a column per run.

python scripts/side_by_side.py outputs/facades_loss --split test --rows 4 --output sheet.png
"""

import argparse
from pathlib import Path

import torch
from PIL import Image

from pix2pix.core.errors import exit_with_message
from pix2pix.core.utf8 import ensure_utf8
from pix2pix.data.images.decode import pil_to_tensor
from pix2pix.data.images.pictures import make_contact_sheet, save_picture
from pix2pix.data.images.value_range import normalize
from pix2pix.evaluation.load_comparison import load_comparison
from pix2pix.evaluation.run_groups import RunEntry
from pix2pix.runs.find import find_runs


def main() -> None:
    """Reads the evaluations of the runs and writes the sheet; of several seeds the first is shown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", help="runs or sweeps that were evaluated")
    parser.add_argument("--split", default="val", choices=["train", "val", "test"])
    parser.add_argument("--rows", type=int, default=4, help="how many inputs, evenly spaced over the split")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    comparison = load_comparison(find_runs(options.runs), options.split)
    evaluated = [[entry for entry in group.entries if entry.evaluation] for group in comparison.groups]
    labels = [label for label, entries in zip(comparison.short_labels, evaluated, strict=True) if entries]
    entries = [entries[0] for entries in evaluated if entries]
    if not entries:
        words = f"{' '.join(options.runs)} --split {options.split}"
        raise ValueError(f"none of the runs is evaluated on {options.split}. Write pix2pix evaluate {words}")
    names = list(entries[0].picture_rows)
    shown = names[:: max(1, len(names) // options.rows)][: options.rows]
    rows = [
        [read(entries[0], name, "input"), *(read(e, name, "output") for e in entries), read(entries[0], name, "target")]
        for name in shown
    ]
    save_picture(make_contact_sheet(rows, ["input", *labels, "target"]), options.output)


def read(entry: RunEntry, name: str, kind: str) -> torch.Tensor:
    """One picture of the evaluation, (3, H, W) in [-1, 1]."""
    with Image.open(entry.run.evaluation / str(entry.evaluation) / "images" / f"{name}_{kind}.png") as picture:
        return normalize(pil_to_tensor(picture, "RGB"))


if __name__ == "__main__":
    ensure_utf8()
    with exit_with_message():
        main()
