"""Initial weights (paper, section 6.2)."""

from torch import nn

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


def initialise(network: nn.Module) -> None:
    """Draws weights from N(0, 0.02) and norm scales from N(1, 0.02), and sets biases and shifts to 0, in place.

    The draws come from torch's global generator; `pix2pix.randomness.seed_weights` seeds it.
    """
    for module in network.modules():
        if isinstance(module, CONVOLUTIONS):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
