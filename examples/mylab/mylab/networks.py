"""A generator and a discriminator."""

from typing import Annotated

import torch
import torch.nn.functional as F
from pix2pix.models import initialise
from pydantic import Field
from torch import Tensor, nn

Count = Annotated[int, Field(ge=1)]


class ContextNet(nn.Module):
    """Maps x (B, in_channels, H, W) to y (B, out_channels, H, W) in [-1, 1], at full size in every layer.

    Dilated convolutions see 2**(depth + 1) - 1 pixels (Yu and Koltun, arXiv 1511.07122).
    """

    def __init__(self, in_channels: Count, out_channels: Count, *, base_channels: Count = 32, depth: Count = 4) -> None:
        super().__init__()
        self.first = nn.Conv2d(in_channels, base_channels, 1)
        reaches = [2**level for level in range(depth)]
        self.layers = nn.ModuleList(
            nn.Conv2d(base_channels, base_channels, 3, padding=reach, dilation=reach) for reach in reaches
        )
        self.last = nn.Conv2d(base_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """The output."""
        x = self.first(x)
        for layer in self.layers:
            x = x + F.leaky_relu(layer(x), 0.2)
        return torch.tanh(self.last(x))


class Critic(nn.Module):
    """Maps x (B, in_channels, H, W), an image beside its source, to logits (B, 1, h, w); higher means more real."""

    def __init__(self, in_channels: Count, *, base_channels: Count = 32) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, base_channels, 4, stride=4),
            nn.LeakyReLU(0.2),
            nn.Conv2d(base_channels, 2 * base_channels, 2, stride=2),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * base_channels, 1, 1),
        )
        initialise(self)  # The paper's weights; without this line the network keeps its own.

    def forward(self, x: Tensor) -> Tensor:
        """The logits, one for each square of 8x8 pixels."""
        return self.layers(x)
