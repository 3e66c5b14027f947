"""The losses that compare the output with its target, the objective's terms: each a component with its own weight."""

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from pix2pix.models.eval_mode import KeepsNetworksInEvalMode
from pix2pix.models.structural_similarity import structural_similarity

LOGITS_PER_OUTPUT = 5.0
"""Scales outputs in [-1, 1] to logits: with twelve classes, a softmax can then reach a probability of 0.9995."""

IGNORED = -100  # in class maps for torch's cross-entropy: pixels of no class

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Term(KeepsNetworksInEvalMode, ABC):
    """A term of what the generator minimises. Derive from it for one of your own.

    Networks in it follow the training to its device. They are in evaluation mode, and neither trained nor saved. Its
    own buffers are saved, so a run resumes with them.

    Args:
        weight: its factor in the sum of all terms; 0 leaves it out.
    """

    compares: ClassVar[Literal["pictures", "features"]] = "pictures"
    """What it is given: pictures, or D's features of them."""
    of_label_maps: ClassVar[bool] = False
    """Whether it needs one-hot label maps; then pixels of no class have no part in the objective."""
    is_pixel_mean: ClassVar[bool] = False
    """Whether it is a mean over pixels, each compared alone; then the mean is over the pixels that count."""

    def __init__(self, weight: Weight = 1.0) -> None:
        super().__init__()
        self.weight = weight

    @abstractmethod
    def forward(self, fake: Tensor, target: Tensor) -> Tensor:
        """The loss before its weight, a tensor (), of outputs and targets (B, C, H, W) in [-1, 1], in float32."""


class L1(Term):
    """The mean absolute error (equation 3)."""

    is_pixel_mean = True

    def forward(self, fake: Tensor, target: Tensor) -> Tensor:
        """The mean of |y - G(x)|."""
        return F.l1_loss(fake, target)


class L2(Term):
    """The mean squared error."""

    is_pixel_mean = True

    def forward(self, fake: Tensor, target: Tensor) -> Tensor:
        """The mean of (y - G(x))^2."""
        return F.mse_loss(fake, target)


class SmoothL1(Term):
    """The Huber-like error with its corner at 1."""

    is_pixel_mean = True

    def forward(self, fake: Tensor, target: Tensor) -> Tensor:
        """d^2 / 2 where |d| < 1, else |d| - 1/2."""
        return F.smooth_l1_loss(fake, target)


class LabelCrossEntropy(Term):
    """The cross-entropy of one-hot label maps."""

    of_label_maps = True

    def forward(self, fake: Tensor, target: Tensor) -> Tensor:
        """The mean of -log p of the true class."""
        return cross_entropy(fake, target)


class Dice(Term):
    """The Dice loss of one-hot label maps, in which rare classes count as much as frequent ones."""

    of_label_maps = True

    def forward(self, fake: Tensor, target: Tensor) -> Tensor:
        """1 minus the overlap, mean over pictures and classes."""
        return dice_loss(fake, target)


class SSIM(Term):
    """1 minus the structural similarity, the metric `ssim` (Wang et al. 2004; 11x11 Gaussian window)."""

    def forward(self, fake: Tensor, target: Tensor) -> Tensor:
        """From 0, for equal pictures, to 2."""
        with torch.autocast(fake.device.type, enabled=False):  # its convolutions would be rounded
            return 1 - structural_similarity((fake + 1) / 2, (target + 1) / 2)[0].ssim.mean()


class EdgeLoss(Term):
    """The mean absolute difference of the gradients, by Sobel's filters: it keeps edges sharp and in their places."""

    def forward(self, fake: Tensor, target: Tensor) -> Tensor:
        """The mean over pixels, channels and both directions."""
        # The filter is linear: the difference of gradients is the gradient of the difference.
        return torch.stack([gradient.abs().mean() for gradient in sobel_gradients(fake - target)]).mean()


class FocalFrequency(Term):
    """The focal frequency loss (Jiang et al., arXiv 2012.12821, equation 9): hard frequencies count most.

    Args:
        weight: its factor in the sum of all terms.
        alpha: exponent of the weights of the frequencies; 0 weighs all alike.
    """

    def __init__(self, weight: Weight = 1.0, *, alpha: Annotated[float, Field(ge=0)] = 1.0) -> None:
        super().__init__(weight)
        self.alpha = alpha

    def forward(self, fake: Tensor, target: Tensor) -> Tensor:
        """The mean of w |F(y) - F(G(x))|^2 over the orthonormal spectrum of each channel."""
        difference = torch.fft.fft2(fake - target, norm="ortho")
        distance = difference.real.square() + difference.imag.square()
        # The weights are |difference|^alpha, by their greatest value in each spectrum, and not differentiated.
        weights = distance.detach().sqrt() ** self.alpha
        weights = (weights / weights.amax(dim=(-2, -1), keepdim=True)).nan_to_num(0).clamp(0, 1)
        return (weights * distance).mean()


class FeatureMatching(Term):
    """The distance of D's features of the output from those of the target (pix2pixHD, arXiv 1711.11585, equation 2).

    D must have `features(x)`, which returns for each of its scales the outputs of its layers, the logits last.
    """

    compares = "features"

    def forward(self, fake: list[list[Tensor]], target: list[list[Tensor]]) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The sum over layers, without the logits, of the mean absolute difference; the mean over D's scales."""
        scales = [
            torch.stack([F.l1_loss(a, b) for a, b in zip(ours[:-1], theirs[:-1], strict=True)]).sum()
            for ours, theirs in zip(fake, target, strict=True)
        ]
        return torch.stack(scales).mean()


class Weighted(Term):
    """Any loss of torch or another package, given a weight.

    Args:
        loss: maps outputs and targets, (B, C, H, W) in [-1, 1], to a tensor ().
        weight: its factor in the sum of all terms.
    """

    def __init__(self, loss: nn.Module, weight: Weight = 1.0) -> None:
        super().__init__(weight)
        self.loss = loss

    def forward(self, fake: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return self.loss(fake, target)


def sobel_gradients(image: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients along x and y of the inner pixels, (B, C, H - 2, W - 2), in values per pixel."""
    # Weights 1, 2, 1 across the direction, and the difference of the pixels on both sides along it.
    rows = (image[..., :-2, :] + 2 * image[..., 1:-1, :] + image[..., 2:, :]) / 4
    columns = (image[..., :, :-2] + 2 * image[..., :, 1:-1] + image[..., :, 2:]) / 4
    return (rows[..., :, 2:] - rows[..., :, :-2]) / 2, (columns[..., 2:, :] - columns[..., :-2, :]) / 2


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
    The two +1 make the loss 0 for a class that neither map contains. Rare classes count as much as frequent ones.
    """
    p, t = (LOGITS_PER_OUTPUT * fake).softmax(dim=1) * label_mask(target), (target + 1) / 2
    overlap, total = (p * t).sum(dim=(2, 3)), (p + t).sum(dim=(2, 3))
    return 1 - ((2 * overlap + 1) / (total + 1)).mean()
