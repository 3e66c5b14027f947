"""How a decoder doubles the size of its features."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from pix2pix.models.winograd import WinogradConvolution

Upsampling = Literal["transposed", "resize"]


class ResizeConvolution(WinogradConvolution):
    """Doubles height and width by repeating pixels, then convolves 3x3: (B, in, H, W) to (B, out, 2H, 2W).

    A transposed convolution covers neighbouring pixels unevenly and draws checkerboards; this one cannot (Odena et al.,
    Deconvolution and checkerboard artifacts, Distill 2016).
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, bias: bool, padding_mode: Literal["zeros", "reflect"] = "zeros"
    ) -> None:
        super().__init__(in_channels, out_channels, 3, padding=1, bias=bias, padding_mode=padding_mode)

    def forward(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride] - torch calls it input
        """The features at twice the size."""
        # Sizes in integers, not a factor, so that exporters can prove that the skips fit.
        height, width = x.shape[-2:]
        return super().forward(F.interpolate(x, size=(2 * height, 2 * width)))
