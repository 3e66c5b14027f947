"""The exponential moving average of the generator's weights."""

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


class MovingAverage(AveragedModel):
    """A copy of a network whose weights follow the network's: w <- decay * w + (1 - decay) * network's w.

    The average makes all pictures of a run. torch's own update waits for the device in every step, because it reads
    `n_averaged` there. This one never waits.

    Args:
        network: the network; the first update copies its weights.
        decay: between 0 and 1.
        has_warm_up: begin with smaller decays, (1 + n) / (10 + n) after n updates, as long as they are smaller: the
            random weights of the beginning are soon forgotten.
    """

    def __init__(self, network: nn.Module, decay: float, *, has_warm_up: bool = False) -> None:
        super().__init__(network)
        self.decay, self.has_warm_up, self.has_begun = decay, has_warm_up, False

    def resume(self) -> None:
        """Finds out whether weights were loaded. That waits for the device, so it is done once, at the start."""
        self.has_begun = bool(self.n_averaged)

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Moves the average towards the network's weights, in one call for all weights."""
        own, weights = tuple(self.module.parameters()), tuple(network.parameters())
        if not self.has_begun:
            torch._foreach_copy_(own, weights)  # pyright: ignore[reportPrivateImportUsage]
        elif self.has_warm_up:
            share = 1 - self._decay_of_warm_up()
            torch._foreach_mul_(own, 1 - share)  # pyright: ignore[reportPrivateImportUsage]
            torch._foreach_add_(own, torch._foreach_mul(weights, share))  # pyright: ignore[reportPrivateImportUsage]
        else:
            torch._foreach_lerp_(own, weights, 1 - self.decay)  # pyright: ignore[reportPrivateImportUsage]
        # Batch norm's running statistics are averages already.
        for buffer, current in zip(self.module.buffers(), network.buffers(), strict=True):
            buffer.copy_(current)
        self.n_averaged.add_(1)

    def _decay_of_warm_up(self) -> Tensor:
        """The decay of this update, on the device."""
        updates = self.n_averaged.float()
        return torch.clamp((1 + updates) / (10 + updates), max=self.decay)
