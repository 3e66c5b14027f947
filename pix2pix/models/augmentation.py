"""Differentiable augmentation of what the discriminator sees, for small data sets (Zhao et al., arXiv 2006.10738)."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

Transform = Literal["color", "translation", "cutout"]

LARGEST_SHIFT = 1 / 8  # of each side
CUTOUT = 1 / 2  # side of the square that is cut out, relative to that of the picture


class Draw(NamedTuple):
    """One draw for a batch: brightness, saturation and contrast (B, 1, 1, 1) in [0, 1); pixels down and right (B,); the
    row and the column of the middle of the cutout (B,)."""

    color: Sequence[Tensor]
    shift: Sequence[Tensor]
    middle: Sequence[Tensor]


class AugmentedDiscriminator:
    """A discriminator that sees pictures under random transformations, through which gradients reach the generator.

    A source and its image, which are concatenated, are transformed by the same draw. The draws come from torch's global
    generator, which the training seeds from (seed, step, rank).

    Args:
        discriminator: judges pictures (B, C, H, W).
        transforms: which ones are applied, in the order of `Transform`.
        channels: the number of channels of each picture that is concatenated, such as [3, 3].
    """

    def __init__(self, discriminator: Any, transforms: Sequence[Transform], channels: Sequence[int]) -> None:
        self.discriminator, self.transforms, self.channels = discriminator, transforms, list(channels)
        self.draw_of_features: Draw | None = None

    def __call__(self, x: Tensor) -> Any:
        """The logits for transformed pictures; each call makes new draws."""
        return self.discriminator(self._transform(x, draw_transforms(x)))

    def features(self, x: Tensor) -> Any:
        """The features of transformed pictures. All calls share one draw, as features of two pictures are compared."""
        self.draw_of_features = self.draw_of_features or draw_transforms(x)
        return self.discriminator.features(self._transform(x, self.draw_of_features))

    def _transform(self, x: Tensor, draw: Draw) -> Tensor:
        if "color" in self.transforms:
            x = torch.cat(change_colors(x.split(self.channels, dim=1), *draw.color), dim=1)
        if "translation" in self.transforms:
            x = translate(x, *draw.shift)
        return cut_out(x, *draw.middle) if "cutout" in self.transforms else x


def draw_transforms(x: Tensor) -> Draw:
    """The draw for pictures (B, C, H, W)."""
    shifts = [int(side * LARGEST_SHIFT + 0.5) for side in x.shape[2:]]
    color = torch.rand(3, len(x), 1, 1, 1, device=x.device)
    shift = [torch.randint(-largest, largest + 1, (len(x),), device=x.device) for largest in shifts]
    middle = [torch.randint(side, (len(x),), device=x.device) for side in x.shape[2:]]
    return Draw(list(color), shift, middle)


def change_colors(pictures: Sequence[Tensor], brightness: Tensor, saturation: Tensor, contrast: Tensor) -> list[Tensor]:
    """Adds to the brightness and scales saturation and contrast of pictures (B, C, H, W); draws (B, 1, 1, 1) in [0, 1).

    Saturation is the difference from the mean of a pixel's channels, times 0 to 2; contrast that from the mean of the
    picture, times 0.5 to 1.5.
    """
    changed = []
    for picture in pictures:
        brighter = picture + (brightness - 0.5)
        grey = brighter.mean(dim=1, keepdim=True)
        saturated = grey + (brighter - grey) * (2 * saturation)
        mean = saturated.mean(dim=(1, 2, 3), keepdim=True)
        changed.append(mean + (saturated - mean) * (contrast + 0.5))
    return changed


def translate(x: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Moves pictures (B, C, H, W) by pixels (B,) and fills the rest with 0."""
    rows = torch.arange(x.shape[2], device=x.device) - down[:, None]
    columns = torch.arange(x.shape[3], device=x.device) - right[:, None]
    # The pixel that comes to each place, by index; where there is none, any, times 0.
    picture = torch.arange(len(x), device=x.device)[:, None, None]
    places = rows.clamp(0, x.shape[2] - 1)[:, :, None], columns.clamp(0, x.shape[3] - 1)[:, None, :]
    moved = x.permute(0, 2, 3, 1)[(picture, *places)].permute(0, 3, 1, 2)
    return moved * _rectangle(_is_within(rows, x.shape[2]), _is_within(columns, x.shape[3])).to(x.dtype)


def cut_out(x: Tensor, middle_row: Tensor, middle_column: Tensor) -> Tensor:
    """Sets a rectangle of half the sides of pictures (B, C, H, W) to 0; its middle, (B,), may be at the border."""
    inside = []
    for side, middle in zip(x.shape[2:], (middle_row, middle_column), strict=True):
        length = int(side * CUTOUT + 0.5)
        inside.append(_is_within(torch.arange(side, device=x.device) - middle[:, None] + length // 2, length))
    return x * (~_rectangle(*inside)).to(x.dtype)


def _is_within(places: Tensor, length: int) -> Tensor:
    return (places >= 0) & (places < length)


def _rectangle(rows: Tensor, columns: Tensor) -> Tensor:
    """The mask (B, 1, H, W) of rows (B, H) and columns (B, W)."""
    return (rows[:, :, None] & columns[:, None, :])[:, None]
