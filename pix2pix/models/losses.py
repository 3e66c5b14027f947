"""The objective: adversarial and reconstruction losses and their weights (paper, section 3.1).

Logits are the discriminator's raw outputs (B, 1, h, w), one per patch; every loss is their mean.
Losses are computed in float32 whatever the precision of the networks.
"""

from abc import ABC, abstractmethod
from typing import Annotated, Self

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

LOGITS_PER_OUTPUT = 5.0
"""Scales outputs in [-1, 1] to logits: with twelve classes, a softmax can then reach a probability of 0.9995."""

IGNORED = -100  # in class maps for torch's cross-entropy: pixels of no class

Weight = Annotated[float, Field(ge=0)]


class _EvalModeModule(nn.Module):
    """A module that keeps the networks in it in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()

    def train(self, mode: bool = True) -> Self:
        """Sets the mode of this module alone; the networks in it stay in evaluation mode."""
        super().train(mode)
        for module in self.modules():
            module.training = mode and isinstance(module, _EvalModeModule)
        return self


class AdversarialLoss(_EvalModeModule, ABC):
    """The losses of the discriminator on real and fake pairs, and of the generator on its fakes."""

    gradient_penalty: float = 0.0
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


class Objective(_EvalModeModule):
    """G* = arg min_G max_D L_cGAN(G, D) + lambda L_L1(G), and its ablations (equation 4, table 1).

    A subclass may hold networks, such as the features of a perceptual loss. They move to the device of the training and
    stay in evaluation mode. They are not trained and not saved in checkpoints: each start builds them again.

    Args:
        adversarial: the adversarial term; None trains without a discriminator.
        conditional: whether the discriminator sees the source beside the image (equation 1) or the image alone (2).
        gan_weight: weight of the adversarial term.
        l1_weight: weight of the mean absolute error, on images in [-1, 1]; the paper's lambda.
        l2_weight: weight of the mean squared error.
        smooth_l1_weight: weight of the Huber-like error with its corner at 1.
        cross_entropy_weight: weight of the cross-entropy of one-hot label maps.
        dice_weight: weight of the Dice loss of one-hot label maps.

    Raises:
        ValueError: when every weight is zero.
    """

    def __init__(
        self,
        adversarial: AdversarialLoss | None,
        *,
        conditional: bool = True,
        gan_weight: Annotated[float, Field(gt=0)] = 1.0,
        l1_weight: Weight = 100.0,
        l2_weight: Weight = 0.0,
        smooth_l1_weight: Weight = 0.0,
        cross_entropy_weight: Weight = 0.0,
        dice_weight: Weight = 0.0,
    ) -> None:
        reconstruction = (l1_weight, l2_weight, smooth_l1_weight, cross_entropy_weight, dice_weight)
        if adversarial is None and not any(reconstruction):
            raise ValueError("the objective has no term: give it an adversarial loss or a positive l1_weight.")
        super().__init__()
        # A user's loss that forgot `super().__init__()` would fail only when it is moved to a device.
        if adversarial is not None and "_modules" not in vars(adversarial):
            nn.Module.__init__(adversarial)
        self.adversarial = adversarial
        self.conditional = conditional
        self.weights = {
            "gan": gan_weight,
            "l1": l1_weight,
            "l2": l2_weight,
            "smooth_l1": smooth_l1_weight,
            "cross_entropy": cross_entropy_weight,
            "dice": dice_weight,
        }

    def discriminate(self, discriminator: nn.Module, source: Tensor, image: Tensor) -> Tensor:
        """The discriminator's logits for an image, concatenated with its source when conditional."""
        return discriminator(torch.cat([source, image], dim=1) if self.conditional else image).float()

    def discriminator_terms(
        self, discriminator: nn.Module, source: Tensor, target: Tensor, fake: Tensor
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """What D minimises: its losses on real and fake pairs, and the gradient penalty if the loss has one.

        The second mapping holds its accuracies: the shares of logits on the right side of the loss's boundary, if any.
        """
        assert self.adversarial is not None
        fake = self._hide_unlabelled(fake, target)
        on_fake = self.discriminate(discriminator, source, fake)
        on_real = self.discriminate(discriminator, source, target)
        terms = {"fake": self.adversarial.fake(on_fake), "real": self.adversarial.real(on_real)}
        if self.adversarial.gradient_penalty:
            penalty = self._gradient_penalty(discriminator, source, target, fake)
            terms["penalty"] = self.adversarial.gradient_penalty * penalty
        boundary = self.adversarial.boundary
        if boundary is None:
            return terms, {}
        return terms, {"fake": (on_fake < boundary).float().mean(), "real": (on_real > boundary).float().mean()}

    def generator_terms(
        self, discriminator: nn.Module | None, source: Tensor, target: Tensor, fake: Tensor
    ) -> dict[str, Tensor]:
        """What G minimises: adversarial term and pixel losses, not yet multiplied by `weights`."""
        terms = {}
        fake = self._hide_unlabelled(fake, target)
        if discriminator is not None and self.adversarial is not None:
            terms["gan"] = self.adversarial.generator(self.discriminate(discriminator, source, fake))
        fake, target = fake.float(), target.float()
        if self.weights["l1"]:
            terms["l1"] = F.l1_loss(fake, target)
        if self.weights["l2"]:
            terms["l2"] = F.mse_loss(fake, target)
        if self.weights["smooth_l1"]:
            terms["smooth_l1"] = F.smooth_l1_loss(fake, target)
        if self.weights["cross_entropy"]:
            terms["cross_entropy"] = cross_entropy(fake, target)
        if self.weights["dice"]:
            terms["dice"] = dice_loss(fake, target)
        return terms

    def _hide_unlabelled(self, fake: Tensor, target: Tensor) -> Tensor:
        """The output, with the target in its place where a one-hot target has no class: no term counts these pixels."""
        is_one_hot = self.weights["cross_entropy"] or self.weights["dice"]
        return torch.where(label_mask(target), fake, target.to(fake.dtype)) if is_one_hot else fake

    def _gradient_penalty(self, discriminator: nn.Module, source: Tensor, target: Tensor, fake: Tensor) -> Tensor:
        """(|grad_x D(x)| - 1)^2 at a random point between each real and its fake (equation 3, last term)."""
        position = torch.rand(target.shape[0], 1, 1, 1, device=target.device)
        image = torch.lerp(fake.float(), target.float(), position).requires_grad_()
        logits = self.discriminate(discriminator, source, image)
        # A logit depends on its own picture alone, so the gradient of their sum holds each picture's gradient.
        # `create_graph`: the penalty is differentiated once more, with respect to D's weights.
        (gradient,) = torch.autograd.grad(logits.sum(), image, create_graph=True)
        return (gradient.flatten(1).norm(dim=1) - 1).square().mean()


def label_mask(target: Tensor) -> Tensor:
    """The pixels with a class, a mask (B, 1, H, W) of one-hot label maps (B, classes, H, W) in [-1, 1]."""
    return (target > 0).any(dim=1, keepdim=True)


def cross_entropy(fake: Tensor, target: Tensor) -> Tensor:
    """The mean of -log p of the true class over the pixels that have one; one-hot label maps as in `dice_loss`."""
    is_labelled = label_mask(target)[:, 0]
    classes = target.argmax(dim=1).masked_fill(~is_labelled, IGNORED)
    total = F.cross_entropy(LOGITS_PER_OUTPUT * fake, classes, ignore_index=IGNORED, reduction="sum")
    return total / is_labelled.sum().clamp(min=1)


def dice_loss(fake: Tensor, target: Tensor) -> Tensor:
    """1 - (2 sum p t + 1) / (sum p + sum t + 1), the mean over pictures and classes (after arXiv 1606.04797).

    p are the probabilities of one-hot label maps (B, classes, H, W) in [-1, 1], t the true ones, the sums over pixels.
    Pixels of no class, with no channel at 1, are in no sum.
    The added ones give a class that is absent from both a loss of 0. Rare classes count as much as frequent ones.
    """
    p, t = (LOGITS_PER_OUTPUT * fake).softmax(dim=1) * label_mask(target), (target + 1) / 2
    overlap, total = (p * t).sum(dim=(2, 3)), (p + t).sum(dim=(2, 3))
    return 1 - ((2 * overlap + 1) / (total + 1)).mean()
