"""Regularises the discriminator beyond the paper's losses: augmentation, R1 penalty, image pool."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pix2pix.models.augmentation import AugmentedDiscriminator, Transform
from pix2pix.models.image_pool import ImagePool
from pix2pix.models.objective import Objective, input_gradient, mean_over_scales


class RegularisedObjective:
    """An objective, with regularisation of its discriminator, for one step.

    Args:
        objective: the losses.
        augmentation: transformations of what D sees; none if empty.
        r1_weight: of the R1 penalty in this step; None in a training without it, 0 in a step without it.
        pool: where D's outputs come from; None takes those of this step.
    """

    def __init__(
        self,
        objective: Objective,
        *,
        augmentation: Sequence[Transform] = (),
        r1_weight: float | None = None,
        pool: ImagePool | None = None,
    ) -> None:
        self.objective, self.weights = objective, objective.weights
        self.augmentation, self.r1_weight, self.pool = augmentation, r1_weight, pool

    def discriminator_terms(
        self, discriminator: nn.Module, source: Tensor, target: Tensor, fake: Tensor
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """As `Objective.discriminator_terms`, with the term `r1`."""
        if self.pool is not None:
            source, target, fake = self.pool.exchange(source, target, fake)
        seen = self._augment(discriminator, source, target)
        terms, accuracy = self.objective.discriminator_terms(seen, source, target, fake)
        if self.r1_weight is not None:
            # 0 in the steps without it, so that means over steps are the mean penalty.
            terms["r1"] = torch.zeros((), device=fake.device)
            if self.r1_weight:
                penalty = r1_penalty(
                    lambda image: self.objective.discriminate(seen, source, image),
                    target,
                    self.objective.mask_labelled(target),
                )
                terms["r1"] = self.r1_weight * penalty
        return terms, accuracy

    def generator_terms(
        self, discriminator: nn.Module | None, source: Tensor, target: Tensor, fake: Tensor
    ) -> dict[str, Tensor]:
        """As `Objective.generator_terms`."""
        seen = None if discriminator is None else self._augment(discriminator, source, target)
        return self.objective.generator_terms(seen, source, target, fake)

    def _augment(self, discriminator: nn.Module, source: Tensor, target: Tensor) -> Any:
        channels = [source.shape[1], target.shape[1]] if self.objective.conditional else [target.shape[1]]
        return (
            AugmentedDiscriminator(discriminator, self.augmentation, channels) if self.augmentation else discriminator
        )


def r1_penalty(
    discriminate: Callable[[Tensor], Sequence[Tensor]], image: Tensor, labelled: Tensor | None = None
) -> Tensor:
    """E |grad_x D(x)|^2 at real pictures (B, C, H, W), half of it (Mescheder et al., arXiv 1801.04406, equation 9).

    D(x) is the sum of a picture's logits, which `discriminate` gives for each scale of D; the result is the mean over
    the scales. Only the gradient inside `labelled`, a mask (B, 1, H, W), counts; None for all.
    """
    image = image.detach().float().requires_grad_()

    def penalise(logits: Tensor) -> Tensor:
        return input_gradient(logits, image, labelled).square().sum(dim=(1, 2, 3)).mean() / 2

    return mean_over_scales(penalise, discriminate(image))
