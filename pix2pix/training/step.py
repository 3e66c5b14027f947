"""The training step of the paper: D and G are updated in turn, with one forward pass of G."""

from collections.abc import Callable
from typing import TypedDict

import torch
from torch import Tensor, nn

from pix2pix.models.losses import Objective

Update = Callable[[Tensor], None]


Losses = dict[str, Tensor]


class StepResult(TypedDict):
    """What a training step leaves behind: each term before its weight, and the share of D's logits that were right."""

    losses: Losses
    accuracy: dict[str, Tensor]


def pix2pix_step(
    source: Tensor,
    target: Tensor,
    generator: nn.Module,
    discriminator: nn.Module | None,
    objective: Objective,
    update_generator: Update,
    update_discriminator: Update,
) -> StepResult:
    """One step of the paper's alternation (section 3.3): D on real and fake, then G against the updated D.

    Args:
        source: (B, C, H, W) in [-1, 1]; `target` likewise.
        update_generator: takes a loss, and one step of G's optimizer down its gradient; likewise for D.

    Returns:
        The losses, detached, as `d_real`, `d_fake`, `g_gan`, `g_l1` ..., and D's accuracy as `real`, `fake`.
    """
    fake = generator(source)

    d_terms, accuracy = {}, {}
    if discriminator is not None:
        d_terms, accuracy = objective.discriminator_terms(discriminator, source, target, fake.detach())
        update_discriminator(0.5 * torch.stack(list(d_terms.values())).sum())  # halved, to slow D down

    trained = [] if discriminator is None else [p for p in discriminator.parameters() if p.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)  # G's gradient passes through D, and leaves none in it

    g_terms = objective.generator_terms(discriminator, source, target, fake)
    update_generator(torch.stack([objective.weights[name] * term for name, term in g_terms.items()]).sum())

    for parameter in trained:
        parameter.requires_grad_(True)
    losses = {f"d_{name}": term for name, term in d_terms.items()} | {
        f"g_{name}": term for name, term in g_terms.items()
    }
    return {"losses": {name: loss.detach() for name, loss in losses.items()}, "accuracy": accuracy}
