"""Plots the curves of a run: training losses, and validation metrics below.

python scripts/plot_curves.py outputs/facades --output curves.png
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from pix2pix.core.errors import exit_with_message
from pix2pix.core.utf8 import ensure_utf8
from pix2pix.runs.metrics import read_metrics


def main() -> None:
    """Reads metrics.csv and writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a run directory")
    parser.add_argument("--output", type=Path, required=True, help="the picture, .png or .svg")
    options = parser.parse_args()
    rows = read_metrics(options.run / "metrics.csv")
    if not rows:
        parser.error(f"{options.run} has no metrics.csv with rows")
    losses = [name for name in rows[0] if name.startswith("loss/")]
    metrics = [name for name in rows[0] if name.startswith("val/")]
    figure, axes = plt.subplots(2, max(len(losses), len(metrics)), figsize=(12, 5), layout="constrained", squeeze=False)
    for line, names in zip(axes, (losses, metrics), strict=True):
        for axis in line[len(names) :]:
            axis.remove()
        for axis, name in zip(line, names, strict=False):
            draw(axis, rows, name)
    figure.savefig(options.output, dpi=110)


def draw(axis: Axes, rows: list[dict[str, str]], name: str) -> None:
    """One metric against the training step."""
    points = [(int(row["step"]), float(row[name])) for row in rows if row[name]]
    axis.plot(*zip(*points, strict=True), color="#2b6cb0", linewidth=1.2)
    axis.set_title(name, fontsize=10)
    axis.set_xlabel("training step", fontsize=8)
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    ensure_utf8()
    with exit_with_message():
        main()
