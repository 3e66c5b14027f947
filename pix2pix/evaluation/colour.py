"""Colour distributions in CIE Lab: does the output have the colours of the photos? (paper, section 4.2, figure 7)."""

import torch
from torch import Tensor

AXES = ("l", "a", "b")
LOWEST, HIGHEST = torch.tensor([0.0, -110.0, -110.0]), torch.tensor([100.0, 110.0, 110.0])
BINS = (50, 110, 110)
"""Two units wide on each axis. The paper does not state its bins; wider ones raise every intersection."""

# sRGB to CIE XYZ under D65, and the white point that belongs to it (IEC 61966-2-1)
TO_XYZ = torch.tensor([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = TO_XYZ.sum(dim=1)


def rgb_to_lab(image: Tensor) -> Tensor:
    """sRGB (..., 3, H, W) in [-1, 1] to CIE Lab: L in 0 to 100, a and b about -110 to 110."""
    rgb = (image.double().clamp(-1, 1).movedim(-3, -1) + 1) / 2
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = linear @ TO_XYZ.double().to(image.device).T / WHITE.double().to(image.device)
    f = torch.where(xyz > (6 / 29) ** 3, xyz.clamp(min=1e-12) ** (1 / 3), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = f.unbind(dim=-1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=-3)


class LabHistograms:
    """The histograms of L, a and b over all pixels of all outputs, and of all targets."""

    def __init__(self) -> None:
        self.counts = {kind: [torch.zeros(bins, dtype=torch.float64) for bins in BINS] for kind in ("output", "target")}

    def update(self, output: Tensor, target: Tensor, source: Tensor | None = None) -> None:
        """Adds pictures (B, 3, H, W) in [-1, 1]."""
        for kind, image in (("output", output), ("target", target)):
            for axis, values in enumerate(rgb_to_lab(image.cpu()).movedim(1, 0)):
                low, high = float(LOWEST[axis]), float(HIGHEST[axis])
                self.counts[kind][axis] += torch.histc(values.clamp(low, high), BINS[axis], low, high)

    def compute(self) -> dict[str, float]:
        """How much of the two distributions lies under both curves: `lab_l`, `lab_a`, `lab_b`, each 0 to 1."""
        return {
            f"lab_{name}": float(torch.minimum(self._share("output", axis), self._share("target", axis)).sum())
            for axis, name in enumerate(AXES)
        }

    def curves(self) -> dict[str, dict[str, list[float]]]:
        """The log10 probabilities that figure 7 plots: for each axis the bins' centres, `output` and `target`."""
        return {name: self._curve(axis) for axis, name in enumerate(AXES)}

    def _curve(self, axis: int) -> dict[str, list[float]]:
        edges = torch.linspace(float(LOWEST[axis]), float(HIGHEST[axis]), BINS[axis] + 1)
        logs = {kind: self._share(kind, axis).clamp(min=1e-8).log10().tolist() for kind in ("output", "target")}
        return {"centre": ((edges[1:] + edges[:-1]) / 2).tolist()} | logs

    def _share(self, kind: str, axis: int) -> Tensor:
        counts = self.counts[kind][axis]
        return counts / counts.sum().clamp(min=1)
