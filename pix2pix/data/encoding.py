"""Encodes the images of a pair as the networks see them: float32 in [-1, 1], label maps with one channel per class."""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from pix2pix.data.augmentation import View, rotate_scale
from pix2pix.data.images.class_colours import PaletteChoice
from pix2pix.data.images.input_kinds import InputKind, Inputs, stored_channels
from pix2pix.data.images.palettes import Palette
from pix2pix.data.images.value_range import Limits, normalize

Resize = Callable[..., Tensor]  # takes (C, H, W) and `is_label_map`


class ImageEncoding:
    """Encodes one image of a pair as float32 in [-1, 1]: by its range of values, or with one channel per class.

    Args:
        palette: the palette of a label map that becomes one channel per class; None for other images.
        limits: the values that become -1 and 1; see `pix2pix.data.images.value_range.normalize`.
        is_label_map: whether augmentation must not blend neighbouring pixels.
    """

    def __init__(self, palette: PaletteChoice | None, limits: Limits | None, *, is_label_map: bool = False) -> None:
        self.palette = Palette(palette) if palette else None
        self.limits, self.is_label_map = limits, is_label_map

    def resize(self, pixels: Tensor, resize: Resize) -> Tensor:
        """Pixels (C, H, W) at another size, of the same type."""
        return resize(pixels, is_label_map=self.palette is not None)

    def encode(self, pixels: Tensor) -> Tensor:
        """Pixels (B, C, H, W) of any type as the networks see them."""
        return encode_pixels(pixels, self.palette, self.limits)

    def encode_views(self, pixels: Tensor, views: Sequence[View], size: tuple[int, int]) -> Tensor:
        """The same for views that rotate or scale (B, C, H, W)."""
        image = rotate_scale(normalize(pixels, self.limits), views, size, is_label_map=self.is_label_map)
        return image if self.palette is None else self.palette.encode(image)

    def require_range(self, pixels: Tensor, image: str) -> None:
        """Raises ValueError for floats outside 0 to 1 without a configured range; `image` is source or target."""
        if self.limits is None and pixels.dtype == torch.float32 and self.palette is None:
            low, high = float(pixels.min()), float(pixels.max())
            if low < 0 or high > 1:
                raise ValueError(
                    f"its {image} holds values from {low:g} to {high:g}, but floats must lie between 0 and 1. "
                    f"Scale the files, or train with the range of your data, data.{image}_range=[LOW,HIGH]."
                )


class BoundaryEncoding(ImageEncoding):
    """Encodes boundaries between instances: 1 on a boundary, -1 elsewhere."""

    def __init__(self) -> None:
        super().__init__(None, None, is_label_map=True)

    def resize(self, pixels: Tensor, resize: Resize) -> Tensor:
        """Boundaries at another size. None is lost between the pixels of a smaller picture."""
        nearest = resize(pixels, is_label_map=True)
        step = max(math.ceil(old / new) for old, new in zip(pixels.shape[1:], nearest.shape[1:], strict=True))
        if step <= 1:
            return nearest
        # Each pixel takes the largest value of its square, of which the nearest pixel is the middle.
        before, after = step // 2, (step - 1) // 2
        padded = F.pad(pixels[None].float(), (before, after, before, after))
        return resize(F.max_pool2d(padded, step, stride=1)[0].to(pixels.dtype), is_label_map=True)


class JoinedEncoding:
    """Encodes an image that joins several files as its channels, each part by its own encoding."""

    def __init__(self, parts: Sequence[ImageEncoding], channels: Sequence[int]) -> None:
        self.parts, self.channels = parts, list(channels)

    def resize(self, pixels: Tensor, resize: Resize) -> Tensor:
        """Pixels (C, H, W) at another size, of the same type."""
        return self._join(pixels, lambda part, its: part.resize(its, resize))

    def encode(self, pixels: Tensor) -> Tensor:
        """Pixels (B, C, H, W) as the networks see them."""
        return self._join(pixels, lambda part, its: part.encode(its))

    def encode_views(self, pixels: Tensor, views: Sequence[View], size: tuple[int, int]) -> Tensor:
        """The same for views that rotate or scale (B, C, H, W)."""
        return self._join(pixels, lambda part, its: part.encode_views(its, views, size))

    def require_range(self, pixels: Tensor, image: str) -> None:
        """Nothing: joined files have 8 bits."""

    def _join(self, pixels: Tensor, change: Callable[[ImageEncoding, Tensor], Tensor]) -> Tensor:
        if pixels.shape[-3] != sum(self.channels):
            raise ValueError(
                f"the input has {pixels.shape[-3]} channels, but data.transform.source_inputs describes "
                f"{sum(self.channels)}. Let it name the same folders as data.folders."
            )
        shares = pixels.split(self.channels, dim=-3)
        return torch.cat([change(part, share) for part, share in zip(self.parts, shares, strict=True)], dim=-3)


Encoding = ImageEncoding | JoinedEncoding


def make_encoding(
    palette: PaletteChoice | None, limits: Limits | None, inputs: Inputs | None = None, *, is_label_map: bool = False
) -> Encoding:
    """The encoding of an image; `inputs` says what its files hold where these are not pictures alone."""
    if inputs is None:
        return ImageEncoding(palette, limits, is_label_map=is_label_map)
    parts = [_make_part(kind, palette, limits) for kind in inputs.values()]
    return JoinedEncoding(parts, [stored_channels(kind) for kind in inputs.values()])


def _make_part(kind: InputKind, palette: PaletteChoice | None, limits: Limits | None) -> ImageEncoding:
    if kind == "classes":
        return ImageEncoding(palette, None, is_label_map=True)
    return BoundaryEncoding() if kind == "boundaries" else ImageEncoding(None, limits)


def encode_pixels(pixels: Tensor, palette: Palette | None, limits: Limits | None = None) -> Tensor:
    """Pixels (..., C, H, W) as float32 in [-1, 1]: in their own channels, or one channel per class of the palette."""
    image = normalize(pixels, limits)
    return image if palette is None else palette.encode(image)
