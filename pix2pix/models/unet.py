"""The U-Net generator (paper, sections 3.2.1 and 6.1.1)."""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from pix2pix.core.settings import Channels
from pix2pix.models.input_sizes import pad_to_multiple, require_multiple
from pix2pix.models.norms import Norm, make_norm, needs_bias
from pix2pix.models.upsampling import ResizeConvolution, Upsampling
from pix2pix.models.validation import require_positive, require_probability

MAX_WIDTH = 8  # times base_channels
DROPOUT_BLOCKS = 3
MAX_DEPTH = 16  # halvings, of a picture of 65536 pixels a side


class UNet(nn.Module):
    """Maps x (B, in_channels, H, W) to y (B, out_channels, H, W) in [-1, 1]; H and W divisible by 2**depth.

    Encoder C64-C128-C256-C512-C512-..., each 4x4 with stride 2; the decoder mirrors it, and each of its blocks also
    takes the encoder's features of its size. No norm follows the first convolution, nor the innermost one: at 1x1 with
    batch size 1 it would zero the bottleneck (erratum).

    Dropout is the noise z. The paper and its Lua code put it on the first three decoder blocks, if these have the full
    width of 8 * base_channels: three at depth 7 and more, two at 6, one at 5, none below. The PyTorch reference
    (`dropout_placement="reference"`) leaves out the innermost block and includes all others of full width.

    Args:
        in_channels: channels of the source.
        out_channels: channels of the target.
        base_channels: channels after the first convolution, 64 in the paper.
        depth: number of halvings; 8 takes 256x256 down to 1x1.
        norm: the norm after every convolution but the first, the innermost and the last.
        dropout: the probability of dropout.
        dropout_placement: which decoder blocks have dropout: those of the `paper`, or of the PyTorch `reference`.
        upsample: how the decoder doubles sizes: by `transposed` convolutions, as the paper, or by `ResizeConvolution`.
        pad_to_multiple: accept any height and width: pad them by reflection, on the right and below, to multiples of
            2**depth, and crop the output.

    Raises:
        ValueError: for an argument out of range; in `forward`, for a height or width that 2**depth does not divide,
            unless it pads.
    """

    skips = True

    def __init__(
        self,
        in_channels: Channels = 3,
        out_channels: Channels = 3,
        *,
        base_channels: Channels = 64,
        depth: int = 8,
        norm: Norm = "batch",
        dropout: Annotated[float, Field(ge=0, le=1)] = 0.5,
        dropout_placement: Literal["paper", "reference"] = "paper",
        upsample: Upsampling = "transposed",
        pad_to_multiple: bool = False,
    ) -> None:
        super().__init__()
        if depth < 2:
            raise ValueError(f"depth {depth}: a U-Net halves its input at least twice. Set a size that 4 divides.")
        if depth > MAX_DEPTH:
            raise ValueError(f"depth {depth}: a U-Net halves its input at most {MAX_DEPTH} times. Lower depth.")
        require_positive(in_channels=in_channels, out_channels=out_channels, base_channels=base_channels)
        require_probability(dropout=dropout)
        self.multiple, self.pad_to_multiple = 2**depth, pad_to_multiple
        # The width doubles with each halving, up to eight times the first: 64, 128, 256, 512, 512, ...
        widths = [base_channels * min(2**level, MAX_WIDTH) for level in range(depth)]
        self.down = nn.ModuleList([_downsample(in_channels, widths[0], norm="none", first=True, bias=needs_bias(norm))])
        for level in range(1, depth):
            innermost = level == depth - 1
            self.down.append(
                _downsample(widths[level - 1], widths[level], "none" if innermost else norm, bias=needs_bias(norm))
            )
        self.up = nn.ModuleList()
        # Decoder block `block` undoes the halving of encoder level `level`, from the innermost outwards. All but the
        # first take the encoder's features as well, concatenated, and so twice the channels.
        for block, level in enumerate(reversed(range(1, depth))):
            candidates = range(DROPOUT_BLOCKS) if dropout_placement == "paper" else range(1, depth)
            has_dropout = block in candidates and widths[level - 1] == MAX_WIDTH * base_channels
            inputs = widths[level] * (2 if self.skips and block else 1)
            self.up.append(_upsample(upsample, inputs, widths[level - 1], norm, dropout if has_dropout else 0.0))
        self.up.append(_output_block(upsample, widths[0] * (2 if self.skips else 1), out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """The output, of the size of x."""
        height, width = x.shape[-2:]
        if self.pad_to_multiple:
            return self._translate(pad_to_multiple(x, self.multiple))[..., :height, :width]
        remedy = "Lower generator.depth, set data.size, or set generator.pad_to_multiple=true."
        require_multiple(x, self.multiple, remedy)
        return self._translate(x)

    def _translate(self, x: Tensor) -> Tensor:
        # The last features are the bottleneck; the others are the skips, which the decoder takes in reverse order.
        features = []
        for down in self.down:
            x = down(x)
            features.append(x)
        x = self.up[0](features.pop())
        for up in self.up[1:]:
            x = up(torch.cat([features.pop(), x], dim=1) if self.skips else x)
        return x


def _downsample(in_channels: int, out_channels: int, norm: Norm, *, bias: bool, first: bool = False) -> nn.Sequential:
    # The activation comes before the convolution, as in the reference, so the skips carry values before it.
    activation = [] if first else [nn.LeakyReLU(0.2)]
    convolution = nn.Conv2d(in_channels, out_channels, 4, stride=2, padding=1, bias=bias)
    return nn.Sequential(*activation, convolution, *make_norm(norm, out_channels))


def _upsample(upsample: Upsampling, in_channels: int, out_channels: int, norm: Norm, dropout: float) -> nn.Sequential:
    convolution = _double(upsample, in_channels, out_channels, bias=needs_bias(norm))
    noise = [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(nn.ReLU(inplace=True), convolution, *make_norm(norm, out_channels), *noise)


def _output_block(upsample: Upsampling, in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(nn.ReLU(inplace=True), _double(upsample, in_channels, out_channels, bias=True), nn.Tanh())


def _double(upsample: Upsampling, in_channels: int, out_channels: int, *, bias: bool) -> nn.Module:
    """The convolution that doubles height and width."""
    if upsample == "resize":
        return ResizeConvolution(in_channels, out_channels, bias=bias)
    return nn.ConvTranspose2d(in_channels, out_channels, 4, stride=2, padding=1, bias=bias)
