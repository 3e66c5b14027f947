"""The PatchGAN discriminators, named by receptive field in pixels (paper, sections 3.2.2 and 6.1.2)."""

from functools import partial

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm as normalise_spectrum

from pix2pix.core.settings import Channels
from pix2pix.models.norms import Norm, make_norm, needs_bias
from pix2pix.models.validation import require_positive
from pix2pix.models.winograd import WinogradConvolution

# Receptive field -> number of convolutions of stride 2. The two last 4x4 convolutions, of stride 1, see 7 pixels; each
# 4x4 convolution of stride 2 before them makes r into 2r + 2: 16, 34, 70, 142, 286.
STRIDED_CONVOLUTIONS = {16: 1, 34: 2, 70: 3, 142: 4, 286: 5}
MAX_WIDTH = 8  # times base_channels


class PatchGAN(nn.Module):
    """Maps x (B, in_channels, H, W), an image and usually its source, to logits (B, 1, h, w), one per patch.

    C64-C128-C256-C512-C512-..., 4x4 convolutions of stride 2, the last two of stride 1. A receptive field of 1 is the
    PixelGAN: 1x1 convolutions, C64-C128. 286 covers a 256x256 image, the ImageGAN. At 70, 256x256 gives 30x30 logits.

    Args:
        in_channels: channels of the image, and of the source when conditional.
        receptive_field: side of the square of pixels that decides one logit: 1, 16, 34, 70, 142 or 286.
        base_channels: channels after the first convolution.
        norm: the norm after every convolution but the first and the last.
        spectral_norm: divide each convolution's weights by their largest singular value (Miyato et al., arXiv
            1802.05957), beside the norm.

    Raises:
        ValueError: for any other receptive field or fewer than one channel; in `forward`, for too small an image.
    """

    def __init__(
        self,
        in_channels: Channels = 6,
        *,
        receptive_field: int = 70,
        base_channels: Channels = 64,
        norm: Norm = "batch",
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        require_positive(in_channels=in_channels, base_channels=base_channels)
        if receptive_field != 1 and receptive_field not in STRIDED_CONVOLUTIONS:
            choices = ", ".join(map(str, (1, *STRIDED_CONVOLUTIONS)))
            raise ValueError(f"receptive_field {receptive_field}: unknown. Choose from {choices}.")
        self.receptive_field = receptive_field
        if receptive_field == 1:
            self.layers, self.smallest = _make_pixel_layers(in_channels, base_channels, norm), 1
        else:
            strided = STRIDED_CONVOLUTIONS[receptive_field]
            # The two convolutions of stride 1 take a pixel each, and one must be left: 3 pixels after all halvings.
            self.layers, self.smallest = _make_patch_layers(in_channels, base_channels, strided, norm), 3 * 2**strided
        for layer in self.layers if spectral_norm else ():
            if isinstance(layer, nn.Conv2d):
                normalise_spectrum(layer)

    def forward(self, x: Tensor) -> Tensor:
        """The logits; higher means more real."""
        self._require_size(x)
        return self.layers(x)

    def features(self, x: Tensor) -> list[list[Tensor]]:
        """The outputs of all activations and, last, the logits; in a list, as of one scale."""
        self._require_size(x)
        features = []
        for layer in self.layers:
            x = layer(x)
            if isinstance(layer, nn.LeakyReLU):
                features.append(x)
        return [[*features, x]]

    def _require_size(self, x: Tensor) -> None:
        height, width = x.shape[-2:]
        if min(height, width) < self.smallest:
            raise ValueError(
                f"image {height}x{width}: a discriminator with receptive field {self.receptive_field} needs at least "
                f"{self.smallest}x{self.smallest}. Lower discriminator.receptive_field or raise data.size."
            )


def _make_patch_layers(in_channels: int, base: int, strided: int, norm: Norm) -> nn.Sequential:
    """`strided` 4x4 convolutions of stride 2, then two of stride 1."""
    # C64-C128-C256-C512-C512: the width doubles with each convolution, up to eight times the first. By the paper, the
    # first convolution has no norm; the last one maps to one logit.
    widths = [base * min(2**level, MAX_WIDTH) for level in range(strided + 1)]
    layers: list[nn.Module] = [nn.Conv2d(in_channels, base, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
    for level in range(1, strided + 1):
        channels, bias = (widths[level - 1], widths[level]), needs_bias(norm)
        halves = level < strided
        convolve = partial(nn.Conv2d, stride=2) if halves else WinogradConvolution
        convolution = convolve(*channels, 4, padding=1, bias=bias)
        layers += [convolution, *make_norm(norm, widths[level]), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, padding=1))


def _make_pixel_layers(in_channels: int, base: int, norm: Norm) -> nn.Sequential:
    """Three 1x1 convolutions; the last has a bias only without batch norm, as in the reference."""
    bias = needs_bias(norm)
    middle = [nn.Conv2d(base, 2 * base, 1, bias=bias), *make_norm(norm, 2 * base), nn.LeakyReLU(0.2)]
    return nn.Sequential(
        nn.Conv2d(in_channels, base, 1), nn.LeakyReLU(0.2), *middle, nn.Conv2d(2 * base, 1, 1, bias=bias)
    )
