"""ResNet generators: the reference's (Johnson et al., arXiv 1603.08155) and those of pix2pixHD (arXiv 1711.11585)."""

import itertools
from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from pix2pix.core.settings import Channels
from pix2pix.models.input_sizes import halve, require_multiple
from pix2pix.models.norms import Norm, make_norm, needs_bias
from pix2pix.models.upsampling import ResizeConvolution, Upsampling
from pix2pix.models.validation import require_positive, require_probability
from pix2pix.models.winograd import WinogradConvolution

MAX_HALVINGS = 8


class ResNet(nn.Module):
    """Maps x (B, in_channels, H, W) to y (B, out_channels, H, W) in [-1, 1]; H and W divisible by 2**downsamplings.

    c7s1-64, d128, d256, R256 x blocks, u128, u64, c7s1-3, with reflection padding. With four downsamplings to 1024
    channels it is the global generator of pix2pixHD (section 3.2).

    Args:
        in_channels: channels of the source.
        out_channels: channels of the target.
        base_channels: channels after the first convolution.
        blocks: residual blocks; the reference offers 6 and 9.
        downsamplings: halvings before the blocks.
        norm: the norm after every convolution but the last.
        dropout: the probability of dropout inside each residual block.
        upsample: how sizes are doubled: by `transposed` convolutions, or by `ResizeConvolution`.

    Raises:
        ValueError: for an argument out of range; in `forward`, for a side that 2**downsamplings does not divide, or
            that is below twice that.
    """

    def __init__(
        self,
        in_channels: Channels = 3,
        out_channels: Channels = 3,
        *,
        base_channels: Channels = 64,
        blocks: Annotated[int, Field(ge=1)] = 9,
        downsamplings: Annotated[int, Field(ge=1, le=MAX_HALVINGS)] = 2,
        norm: Norm = "batch",
        dropout: Annotated[float, Field(ge=0, le=1)] = 0.0,
        upsample: Upsampling = "transposed",
    ) -> None:
        super().__init__()
        require_positive(in_channels=in_channels, out_channels=out_channels, base_channels=base_channels, blocks=blocks)
        require_positive(downsamplings=downsamplings)
        require_probability(dropout=dropout)
        self.multiple = 2**downsamplings
        self.smallest = 2 * self.multiple  # reflection padding needs two pixels of features
        widths = [base_channels * 2**level for level in range(downsamplings + 1)]
        pairs = list(itertools.pairwise(widths))
        self.layers = nn.Sequential(
            *_input_block(in_channels, base_channels, norm),
            *[layer for a, b in pairs for layer in _downsample(a, b, norm)],
            *[ResidualBlock(widths[-1], norm, dropout) for _ in range(blocks)],
            *[layer for a, b in reversed(pairs) for layer in _upsample(b, a, norm, upsample)],
            *_output_block(base_channels, out_channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """The output, of the size of x."""
        self._require_size(x)
        return self.layers(x)

    def _require_size(self, x: Tensor) -> None:
        require_multiple(x, self.multiple, "Set data.size.")
        height, width = x.shape[-2:]
        if min(height, width) < self.smallest:
            sides = f"{self.smallest}x{self.smallest}"
            raise ValueError(f"image {height}x{width}: a ResNet needs at least {sides}. Raise data.size.")


class LocalEnhancer(ResNet):
    """pix2pixHD's two generators, coarse to fine (section 3.2); as `ResNet`, with H and W divisible twice as often.

    The global generator, without its output layers, sees the picture at half the size. Its features are added to those
    of a smaller network at the full size: c7s1-32, d64, R64 x local_blocks, u32, c7s1-3.

    The weights of the global generator have the names that they have in a `ResNet`: `init_from` takes them from a
    training of that one at half the size.

    Args:
        in_channels, out_channels, blocks, downsamplings, norm, dropout, upsample: as `ResNet`, the global generator.
        base_channels: channels of the global generator's first layer, even; the enhancer has half of them.
        local_blocks: residual blocks of the enhancer.
        freeze_global: leave the weights of the global generator as they are, to train the enhancer first.

    Raises:
        ValueError: as `ResNet`, and for an odd `base_channels`.
    """

    def __init__(
        self,
        in_channels: Channels = 3,
        out_channels: Channels = 3,
        *,
        base_channels: Annotated[Channels, Field(multiple_of=2)] = 64,
        blocks: Annotated[int, Field(ge=1)] = 9,
        downsamplings: Annotated[int, Field(ge=1, le=MAX_HALVINGS)] = 4,
        local_blocks: Annotated[int, Field(ge=1)] = 3,
        norm: Norm = "instance",
        dropout: Annotated[float, Field(ge=0, le=1)] = 0.0,
        upsample: Upsampling = "transposed",
        freeze_global: bool = False,
    ) -> None:
        if base_channels % 2:
            raise ValueError(f"base_channels {base_channels}: must be even, as the enhancer has half of them.")
        shared = {"base_channels": base_channels, "blocks": blocks, "downsamplings": downsamplings}
        super().__init__(in_channels, out_channels, **shared, norm=norm, dropout=dropout, upsample=upsample)
        require_positive(local_blocks=local_blocks)
        self.multiple, self.smallest = 2 * self.multiple, 2 * self.smallest
        layers = list(self.layers.children())[: -len(_output_block(1, 1))]
        self.layers = nn.Sequential(*layers).requires_grad_(not freeze_global)
        half = base_channels // 2
        self.enhancer_input = nn.Sequential(
            *_input_block(in_channels, half, norm), *_downsample(half, base_channels, norm)
        )
        self.enhancer_output = nn.Sequential(
            *[ResidualBlock(base_channels, norm, dropout) for _ in range(local_blocks)],
            *_upsample(base_channels, half, norm, upsample),
            *_output_block(half, out_channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """The output, of the size of x."""
        self._require_size(x)
        return self.enhancer_output(self.enhancer_input(x) + self.layers(halve(x)))


class ResidualBlock(nn.Module):
    """x + f(x), with f two 3x3 convolutions; (B, channels, H, W) to the same shape."""

    def __init__(self, channels: int, norm: Norm, dropout: float) -> None:
        super().__init__()
        # always one layer, so that dropout does not change the names in the state dict
        noise = nn.Dropout(dropout) if dropout else nn.Identity()
        first, second = (WinogradConvolution(channels, channels, 3, bias=needs_bias(norm)) for _ in range(2))
        self.layers = nn.Sequential(
            *[nn.ReflectionPad2d(1), first, *make_norm(norm, channels), nn.ReLU(), noise],
            *[nn.ReflectionPad2d(1), second, *make_norm(norm, channels)],
        )

    def forward(self, x: Tensor) -> Tensor:
        """x + f(x)."""
        return x + self.layers(x)


# Convolutions have a bias where no batch norm follows: see `needs_bias`.
def _input_block(in_channels: int, out_channels: int, norm: Norm) -> list[nn.Module]:
    convolution = nn.Conv2d(in_channels, out_channels, 7, bias=needs_bias(norm))
    return [nn.ReflectionPad2d(3), convolution, *make_norm(norm, out_channels), nn.ReLU()]


def _downsample(in_channels: int, out_channels: int, norm: Norm) -> list[nn.Module]:
    convolution = nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=needs_bias(norm))
    return [convolution, *make_norm(norm, out_channels), nn.ReLU()]


def _upsample(in_channels: int, out_channels: int, norm: Norm, upsample: Upsampling) -> list[nn.Module]:
    bias = needs_bias(norm)
    if upsample == "resize":
        convolution: nn.Module = ResizeConvolution(in_channels, out_channels, bias=bias, padding_mode="reflect")
    else:
        # `output_padding` makes the output exactly twice the input: the transposed size is ambiguous by one.
        convolution = nn.ConvTranspose2d(in_channels, out_channels, 3, 2, 1, output_padding=1, bias=bias)
    return [convolution, *make_norm(norm, out_channels), nn.ReLU()]


def _output_block(in_channels: int, out_channels: int) -> list[nn.Module]:
    return [nn.ReflectionPad2d(3), nn.Conv2d(in_channels, out_channels, 7), nn.Tanh()]
