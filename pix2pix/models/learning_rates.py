"""Decays learning rates, and carries them over when a training resumes."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor
from torch.optim import Optimizer


def linear_decay(epoch: int, epochs: int, decay_epochs: int) -> float:
    """The factor of an epoch: 1, then a line that would reach 0 one epoch after the last, as in the reference.

    Always 1 when `decay_epochs` is 0; never below 0.
    """
    if not decay_epochs:
        return 1.0
    # decay_epochs + 1 equal falls: the last epoch still trains, with 1 / (decay_epochs + 1) of the rate.
    return max(0.0, 1 - max(0, epoch + 1 - (epochs - decay_epochs)) / (decay_epochs + 1))


class LinearDecay:
    """Decays the configured learning rates linearly over the last epochs of a training.

    With `epochs=0` it changes nothing and callbacks are free to. Otherwise the rates depend on the epoch alone, and a
    callback that sets other rates is an error, because the next epoch would overwrite them.

    Args:
        epochs: number of last epochs over which the rates fall.
    """

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.optimizers: Sequence[Optimizer] = ()
        self.configured: list[float] = []
        self.expected: list[float] = []

    def start(self, optimizers: Sequence[Optimizer], resumed: Sequence[float] | None = None) -> None:
        """Takes the rates of new optimizers as the configured ones; `resumed` are the rates in a checkpoint."""
        # A resumed optimizer is built with the configured rates; its checkpoint brings the decayed ones afterwards.
        self.optimizers = optimizers
        self.configured = self._rates()
        self.expected = list(resumed or self.configured)

    def require_last_epoch(self, max_epochs: int | None) -> None:
        """Raises ValueError when the last epoch is unknown, as in a training that is limited by steps."""
        if self.epochs and (max_epochs is None or max_epochs < 0):
            raise ValueError(
                f"optimizer.decay_epochs={self.epochs}: the rate falls over the last epochs, but trainer.max_epochs="
                f"{max_epochs} sets no last epoch. Set trainer.max_epochs, or optimizer.decay_epochs=0."
            )

    def set_rates(self, epoch: int, max_epochs: int) -> None:
        """Sets the rates of an epoch. Raises ValueError when something else has changed them."""
        if not self.epochs:
            return
        self.require_own_rates()
        factor = linear_decay(epoch, max_epochs, self.epochs)
        self.expected = [rate * factor for rate in self.configured]
        for group, rate in zip(self._groups(), self.expected, strict=True):
            if isinstance(group["lr"], Tensor):  # a CUDA graph or a compiled step reads this memory
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    def require_own_rates(self) -> None:
        """Raises ValueError when something else has changed the rates since `set_rates`."""
        if not self.epochs:
            return
        actual = self._rates()
        if not all(map(_is_same, actual, self.expected)):
            raise ValueError(
                f"a callback has set the learning rates to {actual}, but optimizer.decay_epochs={self.epochs} "
                f"sets them to {self.expected}. Only one of them can. "
                "Set optimizer.decay_epochs=0, or remove the callback."
            )

    def _groups(self) -> Iterator[dict[str, Any]]:
        return (group for optimizer in self.optimizers for group in optimizer.param_groups)

    def _rates(self) -> list[float]:
        return [float(group["lr"]) for group in self._groups()]


def _is_same(rate: float, other: float) -> bool:
    """Whether two rates are equal up to float32 rounding."""
    return math.isclose(rate, other, rel_tol=1e-6)
