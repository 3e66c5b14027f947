"""The adversarial losses of D and G (paper, section 3.1). `terms.py` has the losses that compare output and target.

Logits are the discriminator's raw outputs (B, 1, h, w), one per patch; every loss is their mean.
"""

from abc import ABC, abstractmethod
from typing import Annotated

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from pix2pix.models.eval_mode import KeepsNetworksInEvalMode


class AdversarialLoss(KeepsNetworksInEvalMode, ABC):
    """The losses of the discriminator on real and fake pairs, and of the generator on its fakes."""

    gradient_penalty: float = 0.0
    """Weight of the gradient penalty; 0 has none."""
    boundary: float | None = 0.0
    """Logits above it mean "real"; None if a logit alone has no such meaning."""

    @abstractmethod
    def real(self, logits: Tensor) -> Tensor:
        """The discriminator's loss on real pairs."""

    @abstractmethod
    def fake(self, logits: Tensor) -> Tensor:
        """The discriminator's loss on generated pairs."""

    def generator(self, logits: Tensor) -> Tensor:
        """The generator's loss on its own output; by default the discriminator's loss on real pairs."""
        return self.real(logits)


class CrossEntropy(AdversarialLoss):
    """The paper's loss, with G maximising log D(x, G(x)) (section 3.3)."""

    def real(self, logits: Tensor) -> Tensor:
        """-log sigmoid(z), without overflow."""
        return F.softplus(-logits).mean()

    def fake(self, logits: Tensor) -> Tensor:
        """-log(1 - sigmoid(z)), without overflow."""
        return F.softplus(logits).mean()


class LeastSquares(AdversarialLoss):
    """LSGAN (Mao et al., arXiv 1611.04076, equation 9): real is 1, fake is 0."""

    boundary = 0.5

    def real(self, logits: Tensor) -> Tensor:
        """(z - 1)^2."""
        return (logits - 1).square().mean()

    def fake(self, logits: Tensor) -> Tensor:
        """z^2."""
        return logits.square().mean()


class Hinge(AdversarialLoss):
    """The hinge loss (Lim and Ye, arXiv 1705.02894)."""

    def real(self, logits: Tensor) -> Tensor:
        """max(0, 1 - z)."""
        return F.relu(1 - logits).mean()

    def fake(self, logits: Tensor) -> Tensor:
        """max(0, 1 + z)."""
        return F.relu(1 + logits).mean()

    def generator(self, logits: Tensor) -> Tensor:
        """-z."""
        return -logits.mean()


class Wasserstein(AdversarialLoss):
    """WGAN with gradient penalty (Gulrajani et al., arXiv 1704.00028, equation 3)."""

    boundary = None  # a critic only compares its inputs

    def __init__(self, gradient_penalty: Annotated[float, Field(gt=0)] = 10.0) -> None:
        super().__init__()
        self.gradient_penalty = gradient_penalty

    def real(self, logits: Tensor) -> Tensor:
        """-z."""
        return -logits.mean()

    def fake(self, logits: Tensor) -> Tensor:
        """z."""
        return logits.mean()
