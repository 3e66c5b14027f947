"""How the weights of both networks are updated: optimizers, learning rates, clipping."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import nn
from torch.optim import Optimizer

from pix2pix.models.learning_rates import LearningRates
from pix2pix.models.schedules import ConstantRate, Schedule


@dataclass(frozen=True)
class Optimization:
    """The updates of both networks, by the names `generator` and `discriminator`.

    Args:
        optimizers: for each network, a factory that takes its parameters.
        schedules: the learning-rate schedule of each network; None for constant rates.
        clip_norm: largest norm of a network's gradient, or None.
    """

    optimizers: Mapping[str, Callable[..., Optimizer]]
    schedules: Mapping[str, Schedule] | None = None
    clip_norm: float | None = None

    def build_optimizers(self, networks: Mapping[str, nn.Module]) -> dict[str, Optimizer]:
        """An optimizer for each network. Raises ValueError for a network without weights to train."""
        for name, network in networks.items():
            if not any(parameter.requires_grad for parameter in network.parameters()):
                raise ValueError(
                    f"{name}: {type(network).__qualname__} has no weights to train: it has none, or all are frozen "
                    "(requires_grad_(False))."
                )
        return {name: self.optimizers[name](network.parameters()) for name, network in networks.items()}

    def build_rates(self) -> LearningRates:
        """The learning rates by the schedules."""
        return LearningRates(self.schedules or dict.fromkeys(self.optimizers, ConstantRate()))
