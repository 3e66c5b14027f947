"""A metric."""

from pix2pix.evaluation import PairMetric
from torch import Tensor


class EdgeError(PairMetric):
    """Mean absolute difference of horizontal gradients, 0 to 2."""

    higher_is_better = False

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        """A value for each picture, (B,), of outputs and targets (B, C, H, W) in [-1, 1]."""
        return (output.diff(dim=3) - target.diff(dim=3)).abs().mean(dim=(1, 2, 3)) / 2
