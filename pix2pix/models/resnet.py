"""The ResNet generator of the reference implementation (Johnson et al., arXiv 1603.08155)."""

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from pix2pix.models.input_sizes import require_multiple
from pix2pix.models.norms import Norm, make_norm, needs_bias
from pix2pix.models.validation import require_positive, require_probability

MIN_SIDE = 8  # at a quarter of it, reflection padding needs at least two pixels


class ResNet(nn.Module):
    """Maps x (B, in_channels, H, W) to y (B, out_channels, H, W) in [-1, 1]; H and W divisible by 4.

    c7s1-64, d128, d256, R256 x blocks, u128, u64, c7s1-3, with reflection padding.

    Args:
        in_channels: channels of the source.
        out_channels: channels of the target.
        base_channels: channels after the first convolution.
        blocks: residual blocks; the reference offers 6 and 9.
        norm: the norm after every convolution but the last.
        dropout: the probability of dropout inside each residual block.

    Raises:
        ValueError: for an argument out of range; in `forward`, for a side below 8 or not divisible by 4.
    """

    multiple = 4

    def __init__(
        self,
        in_channels: Annotated[int, Field(ge=1)] = 3,
        out_channels: Annotated[int, Field(ge=1)] = 3,
        *,
        base_channels: Annotated[int, Field(ge=1)] = 64,
        blocks: Annotated[int, Field(ge=1)] = 9,
        norm: Norm = "batch",
        dropout: Annotated[float, Field(ge=0, le=1)] = 0.0,
    ) -> None:
        super().__init__()
        require_positive(in_channels=in_channels, out_channels=out_channels, base_channels=base_channels, blocks=blocks)
        require_probability(dropout=dropout)
        c, bias = base_channels, needs_bias(norm)

        # Convolutions have a bias where no batch norm follows: see `needs_bias`.
        def downsample(a: int, b: int) -> list[nn.Module]:
            return [nn.Conv2d(a, b, 3, stride=2, padding=1, bias=bias), *make_norm(norm, b), nn.ReLU()]

        def upsample(a: int, b: int) -> list[nn.Module]:
            # `output_padding` makes the output exactly twice the input: the transposed size is ambiguous by one.
            up = nn.ConvTranspose2d(a, b, 3, stride=2, padding=1, output_padding=1, bias=bias)
            return [up, *make_norm(norm, b), nn.ReLU()]

        self.layers = nn.Sequential(
            *[nn.ReflectionPad2d(3), nn.Conv2d(in_channels, c, 7, bias=bias), *make_norm(norm, c), nn.ReLU()],
            *downsample(c, 2 * c),
            *downsample(2 * c, 4 * c),
            *[ResidualBlock(4 * c, norm, dropout) for _ in range(blocks)],
            *upsample(4 * c, 2 * c),
            *upsample(2 * c, c),
            *[nn.ReflectionPad2d(3), nn.Conv2d(c, out_channels, 7), nn.Tanh()],
        )

    def forward(self, x: Tensor) -> Tensor:
        """The output, of the size of x."""
        require_multiple(x, self.multiple, "Set data.size.")
        height, width = x.shape[-2:]
        if min(height, width) < MIN_SIDE:
            raise ValueError(f"image {height}x{width}: a ResNet needs at least {MIN_SIDE}x{MIN_SIDE}. Raise data.size.")
        return self.layers(x)


class ResidualBlock(nn.Module):
    """x + f(x), with f two 3x3 convolutions; (B, channels, H, W) to the same shape."""

    def __init__(self, channels: int, norm: Norm, dropout: float) -> None:
        super().__init__()
        # always one layer, so that dropout does not change the names in the state dict
        noise = nn.Dropout(dropout) if dropout else nn.Identity()
        first, second = (nn.Conv2d(channels, channels, 3, bias=needs_bias(norm)) for _ in range(2))
        self.layers = nn.Sequential(
            *[nn.ReflectionPad2d(1), first, *make_norm(norm, channels), nn.ReLU(), noise],
            *[nn.ReflectionPad2d(1), second, *make_norm(norm, channels)],
        )

    def forward(self, x: Tensor) -> Tensor:
        """x + f(x)."""
        return x + self.layers(x)
