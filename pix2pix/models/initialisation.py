"""Initial weights (paper, section 6.2)."""

import torch
from torch import nn

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
NORMS = (nn.BatchNorm2d, nn.InstanceNorm2d, nn.GroupNorm)


def initialise(network: nn.Module, generator: torch.Generator | None = None) -> None:
    """Draws weights from N(0, 0.02) and norm scales from N(1, 0.02), and sets biases and shifts to 0, in place.

    The draws come from `generator`, on the network's device; without one from torch's global generator, which
    `pix2pix.core.randomness.seed_weights` seeds. Norms without affine parameters are left alone.
    """
    for module in network.modules():
        # The order of the modules decides the draws, so a change of it changes the weights of every seed.
        if isinstance(module, CONVOLUTIONS):
            mean = 0.0
        elif isinstance(module, NORMS) and module.weight is not None:
            mean = 1.0
        else:
            continue
        nn.init.normal_(module.weight, mean, 0.02, generator)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
