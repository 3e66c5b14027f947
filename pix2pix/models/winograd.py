"""Convolutions of stride 1 with a quarter of the multiplications, for CPUs.

Winograd's minimal filtering, F(4x4, 3x3) and F(3x3, 4x4) (Lavin and Gray, arXiv 1509.09308, section 4): a convolution
is a product of polynomials. Tiles of 6x6 inputs and the filter are evaluated at six points along each axis and
multiplied there, by matrix products over the channels; the outputs of a tile follow from the products. All of it is
plain torch, so gradients, and gradients of gradients, are as fast.
"""

from typing import Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

TILE = 6
POINTS = np.array([0, 1, -1, 2, -1 / 2])  # and infinity; 2 and -1/2 round less than the usual 2 and -2
MOST_PIXELS = 2**16  # of the outputs of a batch: tiles overlap, so they take two to four times the memory


class _Least(NamedTuple):
    channels: int
    pixels: int


LEAST = {3: _Least(128, 1024), 4: _Least(64, 256)}  # With less, a CPU is faster with the plain convolution.


class WinogradConvolution(nn.Conv2d):
    """nn.Conv2d of stride 1, up to twice as fast on a CPU, for a rounding error 1.4 times as large.

    On other devices, in half precision and for few channels or pixels it is nn.Conv2d.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        size: Literal[3, 4],
        *,
        padding: int = 0,
        bias: bool = True,
        padding_mode: Literal["zeros", "reflect"] = "zeros",
    ) -> None:
        super().__init__(in_channels, out_channels, size, padding=padding, bias=bias, padding_mode=padding_mode)

    def forward(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride] - torch calls it input
        """Maps (B, in, H, W) to (B, out, H', W'), as nn.Conv2d does."""
        is_float = x.dtype == self.weight.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
        is_run = x.device.type == "cpu" and not torch.compiler.is_compiling()  # not exported or compiled
        if not (is_float and is_run and self.is_faster(x.shape)):
            return super().forward(x)
        if any(self.padding):
            mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
            x = F.pad(x, self._reversed_padding_repeated_twice, mode=mode)
        layout = torch.channels_last if x.is_contiguous(memory_format=torch.channels_last) else torch.contiguous_format
        outputs = convolve(x, self.weight).contiguous(memory_format=layout)
        return outputs if self.bias is None else outputs + self.bias[:, None, None]

    def is_faster(self, shape: torch.Size) -> bool:
        """Whether a CPU is faster than with nn.Conv2d, for inputs of this shape (B, in, H, W) in float32."""
        size, padding = self.kernel_size[0], int(self.padding[0])
        count, _, *sides = shape
        height, width = (side + 2 * padding + 1 - size for side in sides)
        enough = min(self.in_channels, self.out_channels) >= LEAST[size].channels
        return enough and LEAST[size].pixels <= count * height * width <= MOST_PIXELS


def convolve(x: Tensor, weight: Tensor) -> Tensor:
    """What F.conv2d returns for float32 x (B, C, H, W) and weights (O, C, 3, 3) or (O, C, 4, 4), but for rounding."""
    size = weight.shape[-1]
    step = TILE + 1 - size  # the side of a tile's outputs
    of_tiles, of_filters, to_outputs = _TRANSFORMS[size]
    count, channels, *sides = x.shape
    height, width = (side + 1 - size for side in sides)
    rows, columns = -(-height // step), -(-width // step)
    x = F.pad(x, (0, columns * step - width, 0, rows * step - height)).contiguous()
    tiles = x.unfold(2, TILE, step).unfold(3, TILE, step).permute(4, 5, 1, 0, 2, 3).reshape(TILE**2, -1)
    values = (of_tiles @ tiles).view(TILE**2, channels, -1)
    filters = (of_filters @ weight.reshape(-1, size**2).t()).view(TILE**2, -1, channels)
    products = torch.bmm(filters, values)
    outputs = (to_outputs @ products.flatten(1)).view(step, step, -1, count, rows, columns)
    whole = outputs.permute(3, 2, 4, 0, 5, 1).reshape(count, -1, rows * step, columns * step)
    return whole[:, :, :height, :width]


def _make_transforms(size: int) -> list[Tensor]:
    """Matrices that evaluate tiles and filters of this side at all points, and interpolate the outputs."""
    others = [np.delete(POINTS, place) for place in range(len(POINTS))]
    scales = np.array([np.prod(point - rest) for point, rest in zip(POINTS, others, strict=True)])
    tiles = np.array([*([*np.poly(rest)[::-1], 0] for rest in others), np.poly(POINTS)[::-1]])
    filters = _evaluate(size) / np.append(scales, 1)[:, None]
    outputs = _evaluate(TILE + 1 - size).T
    # Both axes at once: a matrix product over 36 values is faster than two over 6.
    return [torch.from_numpy(np.kron(axis, axis)).float() for axis in (tiles, filters, outputs)]


def _evaluate(count: int) -> NDArray[np.float64]:
    """The matrix (6, count) from the coefficients of a polynomial to its values at all points and at infinity."""
    return np.vstack([np.vander(POINTS, count, increasing=True), np.eye(count)[-1]])


_TRANSFORMS = {size: _make_transforms(size) for size in (3, 4)}
