"""LPIPS, FID and KID, which need pretrained networks (extra `perceptual`).

Their weights are not part of the package. A metric without weights states the reason and where to put the
file; the others are still computed.
"""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

WEIGHTS = {
    "lpips": "alexnet-owt-7be5be79.pth",
    "fid": "weights-inception-2015-12-05-6726825d.pth",
    "kid": "weights-inception-2015-12-05-6726825d.pth",
}
KID_SUBSET = 50


class PerceptualMetrics:
    """LPIPS, FID and KID over a set of pictures, as far as their networks are available.

    Args:
        features: maps uint8 pictures (B, 3, H, W) to features (B, F), replaces the Inception network.
    """

    def __init__(self, features: torch.nn.Module | None = None) -> None:
        self.features = features
        self.missing: dict[str, str] = {}
        self.pictures = 0
        makers: dict[str, Callable[[], Any]] = {"lpips": _lpips, "fid": self._fid, "kid": self._kid}
        self.metrics = {
            name: metric for name, make in makers.items() if (metric := self._try_make(name, make)) is not None
        }

    def update(self, output: Tensor, target: Tensor, labels: Tensor | None = None) -> None:
        """Adds pictures (B, 3, H, W) in [-1, 1]."""
        output, target = output.clamp(-1, 1), target.clamp(-1, 1)
        self.pictures += len(output)
        for name, metric in self.metrics.items():
            if name == "lpips":
                metric.update(output, target)
            else:
                for image, real in ((target, True), (output, False)):
                    metric.update(((image + 1) * 127.5).round().to(torch.uint8), real=real)

    def compute(self) -> dict[str, float]:
        """`lpips`, `fid` and `kid`, those that are available."""
        results: dict[str, float] = {}
        for name, metric in self.metrics.items():
            if name != "lpips" and self.pictures < 2:  # a covariance needs two
                continue
            if name == "kid":
                metric.subset_size = min(KID_SUBSET, self.pictures)
                results[name] = float(metric.compute()[0])
            else:
                results[name] = float(metric.compute())
        return results

    def _try_make(self, name: str, make: Callable[[], Any]) -> Any:
        try:
            return make()
        except ModuleNotFoundError:
            self.missing[name] = "needs the extra: pip install 'pix2pix[perceptual]'"
        except Exception as error:  # downloads raise many kinds of errors
            place = Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS[name]
            self.missing[name] = f"could not download its weights ({error}). Put {WEIGHTS[name]} at {place}"
        return None

    def _fid(self) -> Any:
        from torchmetrics.image.fid import FrechetInceptionDistance

        return FrechetInceptionDistance(feature=self.features or 2048)

    def _kid(self) -> Any:
        from torchmetrics.image.kid import KernelInceptionDistance

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # warns that it stores all features, which are few here
            return KernelInceptionDistance(feature=self.features or 2048, subset_size=KID_SUBSET)


def _lpips() -> Any:
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    return LearnedPerceptualImagePatchSimilarity(net_type="alex")
