"""The training step of the paper: D and G are updated in turn, with one forward pass of G.

`Pix2Pix.training_step` calls it through `Pix2PixStep`, which adds the options of `training_step.*`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from pix2pix.models.objective import Objective
from pix2pix.models.regularised_objective import RegularisedObjective
from pix2pix.models.step_interface import StepResult


def pix2pix_step(
    source: Tensor,
    target: Tensor,
    generator: nn.Module,
    discriminator: nn.Module | None,
    objective: Objective | RegularisedObjective,
    update_generator: Callable[[Tensor], None],
    update_discriminator: Callable[[Tensor], None],
) -> StepResult:
    """One step of the paper's alternation (section 3.3): D on real and fake pairs, then G against the updated D.

    Args:
        source: (B, C, H, W) in [-1, 1].
        target: (B, C', H, W) in [-1, 1].
        generator: maps a source to a picture like the target.
        discriminator: judges pairs; None when the objective has no adversarial term.
        objective: the loss terms and their weights.
        update_generator: minimises a loss by one step of G's optimizer: backward, step, gradients back to zero.
        update_discriminator: the same for D's optimizer.

    Returns:
        The losses as `d_real`, `d_fake`, `g_gan`, `g_l1` ..., and D's accuracy as `real` and `fake`.
    """
    # One forward pass serves both updates. D is trained on it detached, so that its backward pass stops there.
    fake = generator(source)

    # D minimises its loss (for cross-entropy, minus equation 1), halved to slow D down relative to G (section 3.3).
    d_losses, accuracy = {}, {}
    if discriminator is not None:
        d_losses, accuracy = objective.discriminator_terms(discriminator, source, target, fake.detach())
        update_discriminator(0.5 * sum_losses(d_losses.values()))

    # G minimises equation 4, with -log D in place of log(1 - D) (section 3.3). D is frozen: it needs no gradients here.
    with freeze(discriminator):
        g_losses = objective.generator_terms(discriminator, source, target, fake)
        update_generator(sum_losses(objective.weights[name] * loss for name, loss in g_losses.items()))

    return name_losses(d_losses, g_losses, accuracy)


def name_losses(
    d_losses: Mapping[str, Tensor], g_losses: Mapping[str, Tensor], accuracy: dict[str, Tensor]
) -> StepResult:
    """Names the losses `d_...` and `g_...`, and detaches them."""
    losses = {f"d_{name}": loss.detach() for name, loss in d_losses.items()}
    losses |= {f"g_{name}": loss.detach() for name, loss in g_losses.items()}
    return {"losses": losses, "accuracy": accuracy}


def sum_losses(losses: Iterable[Tensor]) -> Tensor:
    """The sum of scalar losses, as a tensor ()."""
    return torch.stack(list(losses)).sum()


@contextmanager
def freeze(network: nn.Module | None) -> Iterator[None]:
    """Lets gradients pass through a network without computing those of its own parameters, which saves their cost."""
    parameters = [] if network is None else [p for p in network.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
