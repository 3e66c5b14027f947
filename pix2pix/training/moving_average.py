"""The exponential moving average of the generator's weights."""

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel


class MovingAverage(AveragedModel):
    """A copy of a network whose weights follow the network's: w <- decay * w + (1 - decay) * network's w.

    It makes the pictures wherever a run makes any. torch's own update reads `n_averaged` in every step, which would
    wait for the device; this one never waits.

    Args:
        network: the network; the first update copies its weights.
        decay: between 0 and 1.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__(network)
        self.decay, self.has_begun = decay, False

    def resume(self) -> None:
        """Finds out whether weights were loaded; reads a number from the device: once at the start, in no step."""
        self.has_begun = bool(self.n_averaged)

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Moves the average towards the network's weights, in one call for all weights."""
        own, weights = tuple(self.module.parameters()), tuple(network.parameters())
        if self.has_begun:
            torch._foreach_lerp_(own, weights, 1 - self.decay)  # pyright: ignore[reportPrivateImportUsage]
        else:
            torch._foreach_copy_(own, weights)  # pyright: ignore[reportPrivateImportUsage]
        # Batch norm's running statistics are averages already.
        for buffer, current in zip(self.module.buffers(), network.buffers(), strict=True):
            buffer.copy_(current)
        self.n_averaged.add_(1)
