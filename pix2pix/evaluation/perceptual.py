"""LPIPS, FID and KID, which need pretrained networks (extra `perceptual`).

Their weights are not part of the package. A metric without weights states the reason and where to put the
file; the others are still computed.
"""

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from pix2pix.evaluation.bootstrap import Interval
from pix2pix.models.perceptual import CHANNELS, LPIPS_WEIGHTS, describe_missing, load_lpips, to_rgb

WEIGHTS = {
    "lpips": LPIPS_WEIGHTS["alex"],
    "fid": "weights-inception-2015-12-05-6726825d.pth",
    "kid": "weights-inception-2015-12-05-6726825d.pth",
}
KID_SUBSET = 50
MIN_PICTURES = 2  # a covariance needs two


class PerceptualMetrics:
    """LPIPS, FID and KID over a set of pictures, as far as their networks are available.

    Args:
        features: maps uint8 pictures (B, 3, H, W) to features (B, F), replaces the Inception network.
        channels: of the pictures. The networks take grey and RGB ones; others are not measured.
    """

    def __init__(self, features: torch.nn.Module | None = None, channels: int = CHANNELS) -> None:
        self.features, self.channels = features, channels
        self.missing: dict[str, str] = {}
        self.pictures = 0
        self.spread: dict[str, float] = {}  # of KID, over its subsets
        self.lpips = self._try_make("lpips", _lpips)
        makers: dict[str, Callable[[], Any]] = {"fid": self._fid, "kid": self._kid}
        self.metrics = {
            name: metric for name, make in makers.items() if (metric := self._try_make(name, make)) is not None
        }

    def update(self, output: Tensor, target: Tensor, classes: Tensor | None = None, names: Sequence[str] = ()) -> None:
        """Adds pictures (B, C, H, W) in [-1, 1]."""
        self.pictures += len(output)
        for metric in self.metrics.values():
            for image, is_real in ((target, True), (output, False)):
                metric.update(((to_rgb(image).clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8), real=is_real)

    def pair_metrics(self) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
        """`lpips`, if it is available, which has a value for each picture."""
        return {} if self.lpips is None else {"lpips": functools.partial(_measure_lpips, self.lpips)}

    def compute(self) -> dict[str, float]:
        """`fid` and `kid`, those that are available."""
        results: dict[str, float] = {}
        if self.pictures < MIN_PICTURES:
            self.missing |= dict.fromkeys(self.metrics, f"is of a set of at least {MIN_PICTURES} pictures")
            return results
        if "fid" in self.metrics:
            results["fid"] = float(self.metrics["fid"].compute())
        if "kid" in self.metrics:
            self.metrics["kid"].subset_size = min(KID_SUBSET, self.pictures)
            mean, spread = self.metrics["kid"].compute()
            results["kid"] = float(mean)
            if self.pictures > KID_SUBSET:  # otherwise every subset is the whole set
                self.spread = {"kid": float(spread)}
        return results

    def intervals(self) -> dict[str, Interval]:
        """None: FID and KID are of the whole set."""
        return {}

    def counts(self) -> dict[str, int]:
        """The number of outputs that FID and KID are of, on which they depend."""
        return dict.fromkeys(self.metrics, self.pictures)

    def _try_make(self, name: str, make: Callable[[], Any]) -> Any:
        if self.channels not in {1, CHANNELS}:
            self.missing[name] = f"compares grey and RGB pictures; those of this run have {self.channels} channels"
            return None
        try:
            return make()
        except Exception as error:  # downloads raise many kinds of errors
            self.missing[name] = describe_missing(error, WEIGHTS[name])
        return None

    def _fid(self) -> Any:
        from torchmetrics.image.fid import FrechetInceptionDistance

        return FrechetInceptionDistance(feature=self.features or 2048)

    def _kid(self) -> Any:
        from torchmetrics.image.kid import KernelInceptionDistance

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # warns that it stores all features, which are few here
            return KernelInceptionDistance(feature=self.features or 2048, subset_size=KID_SUBSET)


def _lpips() -> torch.nn.Module:
    return load_lpips("alex")


@torch.no_grad()
def _measure_lpips(net: torch.nn.Module, output: Tensor, target: Tensor) -> Tensor:
    """LPIPS of each picture, (B,)."""
    return net(to_rgb(output).clamp(-1, 1), to_rgb(target).clamp(-1, 1), normalize=False).flatten()
