"""4x4 convolutions of stride 1 with a quarter of the multiplications, for CPUs.

Winograd's minimal filtering, here F(3x3, 4x4) (Lavin and Gray, arXiv 1509.09308, section 4): a convolution is a product
of polynomials. Tiles of 6x6 inputs and the filter are evaluated at six points along each axis and multiplied there, by
matrix products over the channels; the 3x3 outputs of a tile follow from the products. All of it is plain torch, so
gradients, and gradients of gradients, are as fast.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

FILTER, OUTPUT = 4, 3  # sides
TILE = FILTER + OUTPUT - 1
POINTS = np.array([0, 1, -1, 2, -1 / 2])  # and infinity; 2 and -1/2 round less than the usual 2 and -2
LEAST_CHANNELS, LEAST_PIXELS = 64, 256  # With fewer, a CPU is faster with the plain convolution.


class WinogradConvolution(nn.Conv2d):
    """nn.Conv2d of 4x4, stride 1 and padding 1, up to twice as fast on a CPU, for a rounding error 1.4 times as large.

    On other devices, in half precision and for few channels or pixels it is nn.Conv2d.
    """

    def __init__(self, in_channels: int, out_channels: int, *, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, FILTER, padding=1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride] - torch calls it input
        """Maps (B, in, H, W) to (B, out, H - 1, W - 1)."""
        if not self._is_faster(x):
            return super().forward(x)
        outputs = convolve(F.pad(x, (1, 1, 1, 1)), self.weight)
        return outputs if self.bias is None else outputs + self.bias[:, None, None]

    def _is_faster(self, x: Tensor) -> bool:
        is_plain = x.device.type == "cpu" and x.dtype == self.weight.dtype == torch.float32
        if not is_plain or torch.is_autocast_enabled("cpu") or torch.compiler.is_compiling():
            return False
        pixels = len(x) * (x.shape[2] - 1) * (x.shape[3] - 1)
        return min(self.in_channels, self.out_channels) >= LEAST_CHANNELS and pixels >= LEAST_PIXELS


def convolve(x: Tensor, weight: Tensor) -> Tensor:
    """What F.conv2d returns for float32 x (B, C, H, W) and weights (O, C, 4, 4) on a CPU, but for rounding."""
    count, channels, *sides = x.shape
    height, width = (side - FILTER + 1 for side in sides)
    rows, columns = -(-height // OUTPUT), -(-width // OUTPUT)
    x = F.pad(x, (0, columns * OUTPUT - width, 0, rows * OUTPUT - height))
    tiles = x.unfold(2, TILE, OUTPUT).unfold(3, TILE, OUTPUT).permute(4, 5, 1, 0, 2, 3).reshape(TILE**2, -1)
    values = (OF_TILES @ tiles).view(TILE**2, channels, -1)
    filters = (OF_FILTERS @ weight.reshape(-1, FILTER**2).t()).view(TILE**2, -1, channels)
    products = torch.bmm(filters, values)
    outputs = (TO_OUTPUTS @ products.flatten(1)).view(OUTPUT, OUTPUT, -1, count, rows, columns)
    whole = outputs.permute(3, 2, 4, 0, 5, 1).reshape(count, -1, rows * OUTPUT, columns * OUTPUT)
    return whole[:, :, :height, :width]


def _make_transforms() -> list[Tensor]:
    """Matrices that evaluate tiles (36, 36) and filters (36, 16) at all points, and interpolate outputs (9, 36)."""
    others = [np.delete(POINTS, place) for place in range(len(POINTS))]
    scales = np.array([np.prod(point - rest) for point, rest in zip(POINTS, others, strict=True)])
    infinity = np.eye(TILE)[-1]
    tiles = np.array([*([*np.poly(rest)[::-1], 0] for rest in others), np.poly(POINTS)[::-1]])
    filters = np.vstack([np.vander(POINTS, FILTER, increasing=True) / scales[:, None], infinity[-FILTER:]])
    outputs = np.vstack([np.vander(POINTS, OUTPUT, increasing=True), infinity[-OUTPUT:]]).T
    # Both axes at once: a matrix product over 36 values is faster than two over 6.
    return [torch.from_numpy(np.kron(axis, axis)).float() for axis in (tiles, filters, outputs)]


OF_TILES, OF_FILTERS, TO_OUTPUTS = _make_transforms()
