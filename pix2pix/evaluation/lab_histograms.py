"""Compares colour histograms in CIE Lab of outputs and photos (paper, section 4.2, figure 7)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pix2pix.data.images.lab import rgb_to_lab
from pix2pix.evaluation.bootstrap import Interval

AXES = ("l", "a", "b")
LOWEST, BINS = (0, -110, -110), (50, 110, 110)
WIDTH = 2
"""Of a bin, in units of each axis. The paper does not state its bins; wider ones raise every intersection."""
EDGE = 1e-3  # Greys have an a and b of 0, an edge of bins. So much is added, so that rounding does not choose the bin.


class LabHistograms:
    """The histograms of L, a and b over all pixels of all outputs, and of all targets."""

    def __init__(self) -> None:
        self.counts = {kind: [torch.zeros(bins, dtype=torch.float64) for bins in BINS] for kind in ("output", "target")}

    def update(self, output: Tensor, target: Tensor, classes: Tensor | None = None, names: Sequence[str] = ()) -> None:
        """Adds pictures (B, 3, H, W) in [-1, 1]."""
        for kind, pictures in (("output", output), ("target", target)):
            for picture in pictures.cpu():  # one by one, so that what is computed on the way stays in the caches
                for axis, values in enumerate(rgb_to_lab(picture.float())):
                    bins = ((values - (LOWEST[axis] - EDGE)) / WIDTH).long().clamp(0, BINS[axis] - 1)
                    self.counts[kind][axis] += torch.bincount(bins.flatten(), minlength=BINS[axis])

    def compute(self) -> dict[str, float]:
        """The histogram intersections `lab_l`, `lab_a` and `lab_b`, each 0 to 1."""
        return {
            f"lab_{name}": float(torch.minimum(self._share("output", axis), self._share("target", axis)).sum())
            for axis, name in enumerate(AXES)
        }

    def intervals(self) -> dict[str, Interval]:
        """None: the histograms are of the whole set."""
        return {}

    def curves(self) -> dict[str, dict[str, list[float]]]:
        """The log10 probabilities that figure 7 plots: for each axis the bin centres, `output` and `target`."""
        return {name: self._curve(axis) for axis, name in enumerate(AXES)}

    def _curve(self, axis: int) -> dict[str, list[float]]:
        centres = [LOWEST[axis] + WIDTH * (index + 0.5) for index in range(BINS[axis])]
        logs = {kind: self._share(kind, axis).clamp(min=1e-8).log10().tolist() for kind in ("output", "target")}
        return {"centre": centres} | logs

    def _share(self, kind: str, axis: int) -> Tensor:
        counts = self.counts[kind][axis]
        return counts / counts.sum().clamp(min=1)
