"""The training step of the paper on a batch in parts. Gradients add up, so memory holds one part at a time."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from pix2pix.models.objective import Objective
from pix2pix.models.regularised_objective import RegularisedObjective
from pix2pix.models.step_interface import StepResult, Update
from pix2pix.training.step import freeze, name_losses, sum_losses

Part = tuple[float, Tensor, Tensor]
"""The share of a part in its batch, its sources and its targets."""


def accumulated_step(
    source: Tensor,
    target: Tensor,
    generator: nn.Module,
    discriminator: nn.Module | None,
    objective: Objective | RegularisedObjective,
    update_generator: Update,
    update_discriminator: Update,
    *,
    micro_batches: int,
) -> StepResult:
    """`pix2pix_step` with the gradients of `micro_batches` parts: D on all of them, then G against the updated D.

    Each part passes through G twice, once for D's update and once for G's, with other dropout noise. So no activations
    are kept between the updates.
    Batch norm sees one part at a time.
    """
    parts = list(split_batch(source, target, micro_batches))
    d_losses, accuracy = {}, {}
    if discriminator is not None:
        for share, sources, targets in parts:
            with torch.no_grad():
                fakes = generator(sources)
            terms, right = objective.discriminator_terms(discriminator, sources, targets, fakes)
            update_discriminator.backward(share * 0.5 * sum_losses(terms.values()))
            d_losses, accuracy = add_up(d_losses, terms, share), add_up(accuracy, right, share)
        update_discriminator.step()
    g_losses = {}
    with freeze(discriminator):
        for share, sources, targets in parts:
            terms = objective.generator_terms(discriminator, sources, targets, generator(sources))
            update_generator.backward(
                share * sum_losses(objective.weights[name] * loss for name, loss in terms.items())
            )
            g_losses = add_up(g_losses, terms, share)
        update_generator.step()
    return name_losses(d_losses, g_losses, accuracy)


def split_batch(source: Tensor, target: Tensor, parts: int) -> Iterator[Part]:
    """At most so many parts of a batch (B, C, H, W), equal in size but for the last."""
    for sources, targets in zip(source.chunk(parts), target.chunk(parts), strict=True):
        yield len(sources) / len(source), sources, targets


def add_up(means: dict[str, Tensor], numbers: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """The means over a batch, with the numbers of one more part."""
    return {name: means.get(name, 0) + share * number.detach() for name, number in numbers.items()}
