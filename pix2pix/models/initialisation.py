"""Initial weights: the paper's (section 6.2), and the other schemes of the reference implementation."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
NORMS = (nn.BatchNorm2d, nn.InstanceNorm2d, nn.GroupNorm)
PAPER_STD = 0.02
POWER_ITERATIONS = 15  # as torch's spectral norm takes when it is constructed

Scheme = Literal["normal", "xavier", "kaiming", "orthogonal"]


def initialise(
    network: nn.Module,
    generator: torch.Generator | None = None,
    *,
    scheme: Scheme = "normal",
    gain: float | None = None,
) -> None:
    """Draws the weights of convolutions by a scheme and norm scales from N(1, 0.02), and sets biases and shifts to 0.

    The draws come from `generator`, on the network's device; without one from torch's global generator, which
    `pix2pix.core.randomness.seed_weights` seeds. Norms without affine parameters are left alone.

    Args:
        network: changed in place.
        generator: the source of the draws.
        scheme: `normal` draws from N(0, gain), as the paper; `xavier` (Glorot and Bengio 2010) and `kaiming` (He et
            al., arXiv 1502.01852) draw from normal distributions of their own width, times gain; `orthogonal` (Saxe et
            al., arXiv 1312.6120) draws an orthogonal matrix, times gain.
        gain: the factor of the scheme; None: 0.02 for `normal`, the paper's, and 1 for the others.
    """
    factor = gain if gain is not None else PAPER_STD if scheme == "normal" else 1.0
    for module in network.modules():
        # The order of the modules decides the draws, so a change of it changes the weights of every seed.
        if isinstance(module, CONVOLUTIONS):
            _draw(_raw_weight(module), scheme, factor, generator)
            _settle_spectral_norm(module)
        elif isinstance(module, NORMS) and module.weight is not None:
            nn.init.normal_(module.weight, 1.0, PAPER_STD, generator)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _draw(weight: Tensor, scheme: Scheme, gain: float, generator: torch.Generator | None) -> None:
    if scheme == "normal":
        nn.init.normal_(weight, 0.0, gain, generator)
    elif scheme == "xavier":
        nn.init.xavier_normal_(weight, gain, generator)
    elif scheme == "kaiming":
        nn.init.kaiming_normal_(weight, generator=generator)
        with torch.no_grad():
            weight.mul_(gain)
    else:
        nn.init.orthogonal_(weight, gain, generator)


def _raw_weight(module: nn.Module) -> Tensor:
    """The weight that is trained, below a parametrization such as spectral norm."""
    is_parametrized = parametrize.is_parametrized(module, "weight")
    return module.parametrizations.weight.original if is_parametrized else module.weight  # pyright: ignore


def _settle_spectral_norm(module: nn.Module) -> None:
    """Lets the estimate of the spectral norm follow new weights: in training mode each read is one power iteration."""
    if parametrize.is_parametrized(module, "weight"):
        with torch.no_grad():
            for _ in range(POWER_ITERATIONS):
                _ = module.weight
