"""The training step of the paper: D and G are updated in turn, with one forward pass of G."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypedDict

import torch
from torch import Tensor, nn

from pix2pix.models.losses import Objective

Losses = dict[str, Tensor]
Update = Callable[[Tensor], None]


class StepResult(TypedDict):
    """The losses of a step before their weights, and the share of D's logits that were right. All detached scalars."""

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
    """One step of the paper's alternation (section 3.3): D on real and fake pairs, then G against the updated D.

    Args:
        source: (B, C, H, W) in [-1, 1].
        target: (B, C', H, W) in [-1, 1].
        generator: maps a source to a picture like the target.
        discriminator: judges pairs; None when the objective has no adversarial term.
        objective: the loss terms and their weights.
        update_generator: takes a loss and makes one optimizer step of G down its gradient.
        update_discriminator: the same for D.

    Returns:
        The losses as `d_real`, `d_fake`, `g_gan`, `g_l1` ..., and D's accuracy as `real` and `fake`.
    """
    fake = generator(source)

    # D ascends equation 1. Its loss is halved, to slow D down relative to G (section 3.3).
    d_losses, accuracy = {}, {}
    if discriminator is not None:
        d_losses, accuracy = objective.discriminator_terms(discriminator, source, target, fake.detach())
        update_discriminator(0.5 * total(d_losses.values()))

    # G descends equation 4: the adversarial loss and lambda times L1.
    with freeze(discriminator):
        g_losses = objective.generator_terms(discriminator, source, target, fake)
        update_generator(total(objective.weights[name] * loss for name, loss in g_losses.items()))

    losses = {f"d_{name}": loss for name, loss in d_losses.items()}
    losses |= {f"g_{name}": loss for name, loss in g_losses.items()}
    return {"losses": {name: loss.detach() for name, loss in losses.items()}, "accuracy": accuracy}


def total(losses: Iterable[Tensor]) -> Tensor:
    """The sum of scalar losses, as a tensor ()."""
    return torch.stack(list(losses)).sum()


@contextmanager
def freeze(network: nn.Module | None) -> Iterator[None]:
    """Lets gradients pass through a network without computing any for its own parameters."""
    parameters = [] if network is None else [p for p in network.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
