"""A term of the objective."""

from pix2pix.models import Term
from torch import Tensor


class Colours(Term):
    """The difference of the mean colours."""

    def forward(self, fake: Tensor, target: Tensor) -> Tensor:
        """The loss before its weight, of outputs and targets (B, C, H, W) in [-1, 1]."""
        return (fake.mean(dim=(2, 3)) - target.mean(dim=(2, 3))).abs().mean()
