"""Learning rates and their decay, and callbacks that may change them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

NETWORKS = ("generator", "discriminator")


def linear_decay(epoch: int, epochs: int, decay_epochs: int) -> float:
    """1, then a line that would reach 0 one epoch after the last, as the reference implementation decays.

    Always 1 without `decay_epochs`; never below 0.
    """
    if not decay_epochs:
        return 1.0
    return max(0.0, 1 - max(0, epoch + 1 - (epochs - decay_epochs)) / (decay_epochs + 1))


class LinearDecay:
    """Lets the configured learning rates fall linearly over the last epochs of a training.

    With `epochs=0` it sets nothing: the rates are those of the optimizers, or what a callback makes of them. With more,
    they are a function of the epoch alone, and a callback that sets others is refused: they would be undone.

    Args:
        epochs: over how many of the last epochs.
    """

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.optimizers: Sequence[Optimizer] = ()
        self.configured: list[float] = []
        self.expected: list[float] = []

    def start(self, optimizers: Sequence[Optimizer], resumed: Sequence[float] | None = None) -> None:
        """Takes the rates of new optimizers for the configured ones; `resumed` are those that a checkpoint brings."""
        self.optimizers = optimizers
        self.configured = self._rates()
        self.expected = list(resumed or self.configured)

    def require_last_epoch(self, max_epochs: int | None) -> None:
        """Raises ValueError where the last epochs cannot be told, as in a training of so many steps."""
        if self.epochs and (max_epochs is None or max_epochs < 0):
            raise ValueError(
                f"optimizer.decay_epochs={self.epochs}: the rate falls over the last epochs, but "
                f"trainer.max_epochs={max_epochs} names none. Set trainer.max_epochs, or optimizer.decay_epochs=0."
            )

    def set_rates(self, epoch: int, max_epochs: int) -> None:
        """Sets the rates of an epoch. Raises ValueError where somebody else has set others."""
        if not self.epochs:
            return
        self.require_own_rates()
        factor = linear_decay(epoch, max_epochs, self.epochs)
        self.expected = [rate * factor for rate in self.configured]
        for group, rate in zip(self._groups(), self.expected, strict=True):
            if isinstance(group["lr"], Tensor):  # a graph or a compiled step reads it where it lies
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    def require_own_rates(self) -> None:
        """Raises ValueError where the rates are no longer those that were set here."""
        if not self.epochs:
            return
        found = self._rates()
        if not all(map(_is_same, found, self.expected)):
            raise ValueError(
                f"a callback has set the learning rates to {found}, and optimizer.decay_epochs={self.epochs} sets them "
                f"to {self.expected}. Only one of the two can: set optimizer.decay_epochs=0, or remove the callback."
            )

    def _groups(self) -> Iterator[dict[str, Any]]:
        return (group for optimizer in self.optimizers for group in optimizer.param_groups)

    def _rates(self) -> list[float]:
        return [float(group["lr"]) for group in self._groups()]


def _is_same(rate: float, other: float) -> bool:
    """Whether two rates are equal, one of which may have been kept in float32."""
    return math.isclose(rate, other, rel_tol=1e-6)


def apply_changed_settings(
    states: Sequence[Mapping[str, Any]], there: Mapping[str, Any], here: Mapping[str, Any]
) -> None:
    """Gives the optimizers of a checkpoint the settings in which this run's configuration differs from theirs.

    Otherwise a checkpoint would bring its own back. A learning rate is scaled, as it may have fallen by then.

    Args:
        states: the optimizers' states, changed in place.
        there: the `optimizer` part of the configuration in the checkpoint.
        here: that of this run.
    """
    for player, state in zip(NETWORKS, states, strict=False):
        before, now = there.get(player) or {}, here.get(player) or {}
        for name in [name for name in now if name in before and now[name] != before[name]]:
            for group in state["param_groups"]:
                if name == "lr" and before[name]:
                    group[name] *= now[name] / before[name]
                elif name in group:
                    group[name] = tuple(now[name]) if isinstance(now[name], list) else now[name]


def read_rates(states: Sequence[Mapping[str, Any]]) -> list[float]:
    """The learning rates in optimizers' states."""
    return [float(group["lr"]) for state in states for group in state["param_groups"]]
