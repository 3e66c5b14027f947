"""The discriminators of pix2pixHD: PatchGANs that see the picture at several sizes (arXiv 1711.11585, section 3.2)."""

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from pix2pix.core.settings import Channels
from pix2pix.models.input_sizes import halve
from pix2pix.models.norms import Norm
from pix2pix.models.patchgan import PatchGAN
from pix2pix.models.validation import require_positive


class MultiscalePatchGAN(nn.Module):
    """Maps x (B, in_channels, H, W) to a list of logits, one tensor (B, 1, h, w) for each scale, the full size first.

    Each scale is a `PatchGAN` with weights of its own, which sees the picture halved once more. So the receptive field
    of the last is 2**(scales - 1) times that of the first.

    Args:
        in_channels: channels of the image, and of the source when conditional.
        scales: number of discriminators; 3 in pix2pixHD.
        receptive_field, base_channels, norm, spectral_norm: of each, as `PatchGAN`.

    Raises:
        ValueError: as `PatchGAN`; in `forward`, for an image that is too small for the last scale.
    """

    def __init__(
        self,
        in_channels: Channels = 6,
        *,
        scales: Annotated[int, Field(ge=1, le=8)] = 3,
        receptive_field: int = 70,
        base_channels: Channels = 64,
        norm: Norm = "instance",
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        require_positive(scales=scales)
        options = {"receptive_field": receptive_field, "base_channels": base_channels}
        self.scales = nn.ModuleList(
            PatchGAN(in_channels, **options, norm=norm, spectral_norm=spectral_norm) for _ in range(scales)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """The logits of each scale; higher means more real."""
        return [discriminator(image) for discriminator, image in self._pyramid(x)]

    def features(self, x: Tensor) -> list[list[Tensor]]:
        """For each scale the outputs of all activations and, last, the logits."""
        return [features for discriminator, image in self._pyramid(x) for features in discriminator.features(image)]

    def _pyramid(self, x: Tensor) -> list[tuple[PatchGAN, Tensor]]:
        """Each discriminator with the picture at its size."""
        images = [x]
        for _ in self.scales[1:]:
            images.append(halve(images[-1]))
        self._require_size(x, images[-1])
        return list(zip(self.scales, images, strict=True))  # pyright: ignore[reportReturnType]

    def _require_size(self, x: Tensor, smallest: Tensor) -> None:
        (height, width), needed = x.shape[-2:], self.scales[0].smallest
        if min(smallest.shape[-2:]) < needed:  # pyright: ignore[reportOperatorIssue]
            raise ValueError(
                f"image {height}x{width}: the last of {len(self.scales)} scales sees "
                f"{smallest.shape[-2]}x{smallest.shape[-1]} of it and needs at least {needed}x{needed}. "
                "Lower discriminator.scales or discriminator.receptive_field, or raise data.size."
            )
