"""Random augmentation of pairs and of whole batches: crop, mirror, rotation, scale, colours."""

import math
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from pix2pix.data.device import constant, send

Images = Tensor | Sequence[Tensor]
Share = Annotated[float, Field(ge=0, lt=1)]

LUMA = (0.299, 0.587, 0.114)
TO_YIQ = torch.tensor([LUMA, (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112)])  # NTSC; hue is an angle in I, Q


class Augment(BaseModel):
    """How far each draw may go, to either side; 0 leaves it out. Colours are the source's alone.

    Rotation in degrees, hue in turns of the colour circle, the others as shares: a scale of 0.1 is 0.9 to 1.1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    rotation: Annotated[float, Field(ge=0, le=180)] = 0.0
    scale: Share = 0.0
    brightness: Share = 0.0
    contrast: Share = 0.0
    saturation: Share = 0.0
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0

    @property
    def colours(self) -> bool:
        """Whether colours are drawn."""
        return any((self.brightness, self.contrast, self.saturation, self.hue))

    @property
    def turns(self) -> bool:
        """Whether pixels are sampled between pixels."""
        return bool(self.rotation or self.scale)


class View(NamedTuple):
    """One draw, shared by both images of a pair: the crop's corner, its mirror, and what `Augment` allows besides."""

    top: int
    left: int
    mirror: bool
    rotation: float = 0.0  # degrees, counterclockwise
    scale: float = 1.0
    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    hue: float = 0.0  # turns, from red towards green


def draw_view(
    loaded: Sequence[int], size: Sequence[int], augment: Augment, mirror: bool, random: np.random.Generator
) -> View:
    """A view of `size` of a picture of the `loaded` height and width; a draw that is off changes no other."""
    top, left = (int(random.integers(whole - part + 1)) for whole, part in zip(loaded, size, strict=True))
    flip = bool(random.integers(2)) and mirror
    rotation, scale, brightness, contrast, saturation, hue = random.uniform(-1, 1, 6).tolist()
    return View(
        *(top, left, flip),
        rotation=rotation * augment.rotation,
        scale=1 + scale * augment.scale,
        brightness=1 + brightness * augment.brightness,
        contrast=1 + contrast * augment.contrast,
        saturation=1 + saturation * augment.saturation,
        hue=hue * augment.hue,
    )


def cut(images: Images, views: Sequence[View], size: tuple[int, int]) -> Tensor:
    """The crops (B, C, *size) of images (C, H, W) at the corners of their views, mirrored where the view says so."""
    crops = []
    for image, view in zip(images, views, strict=True):
        rows, columns = slice(view.top, view.top + size[0]), slice(view.left, view.left + size[1])
        crops.append(mirrored(image[:, rows, columns]) if view.mirror else image[:, rows, columns])
    return torch.stack(crops) if len(crops) > 1 else crops[0][None]  # one alone is not copied


def mirrored(image: Tensor) -> Tensor:
    """(C, H, W) with left and right exchanged."""
    if image.dtype != torch.uint16:
        return image.flip(-1)
    return image.view(torch.int16).flip(-1).view(torch.uint16)  # which torch cannot flip by itself


def turned(images: Tensor, views: Sequence[View], size: tuple[int, int], *, labels: bool) -> Tensor:
    """The same of float images (B, C, H, W) rotated and scaled about their centres, reflected beyond their borders.

    Args:
        labels: whether to take the nearest pixel; else bicubic, cut to [-1, 1].
    """
    height, width = images.shape[-2:]
    maps = send(torch.tensor([_sampling(view, (height, width), size) for view in views]), images.device)
    grid = F.affine_grid(maps, [len(images), images.shape[1], *size], align_corners=False)
    mode = "nearest" if labels else "bicubic"
    return F.grid_sample(images, grid, mode, padding_mode="reflection", align_corners=False).clamp_(-1, 1)


def _sampling(view: View, loaded: tuple[int, int], size: tuple[int, int]) -> list[list[float]]:
    """Where in the loaded picture each pixel of the view comes from, both in coordinates from -1 to 1: 2x3."""
    (height, width), (crop_height, crop_width) = loaded, size
    cosine, sine = (f(math.radians(view.rotation)) / view.scale for f in (math.cos, math.sin))
    x, y = view.left + (crop_width - width) / 2, view.top + (crop_height - height) / 2  # the crop's centre from ours
    across = -crop_width if view.mirror else crop_width
    return [
        [cosine * across / width, -sine * crop_height / width, 2 * (cosine * x - sine * y) / width],
        [sine * across / height, cosine * crop_height / height, 2 * (sine * x + cosine * y) / height],
    ]


def recoloured(images: Tensor, views: Sequence[View]) -> Tensor:
    """Images (B, C, H, W) in [-1, 1], grey or RGB, in the brightness, contrast, saturation and hue of their views."""

    def factors(values: Sequence[float]) -> Tensor:
        return send(torch.tensor(values), images.device).reshape(-1, 1, 1, 1)

    image = ((images + 1) / 2 * factors([view.brightness for view in views])).clamp(0, 1)
    mean = _luma(image).mean(dim=(2, 3), keepdim=True)
    image = torch.lerp(mean, image, factors([view.contrast for view in views])).clamp(0, 1)
    if image.shape[1] == 3:
        image = torch.lerp(_luma(image), image, factors([view.saturation for view in views])).clamp(0, 1)
        image = _hue(image, [view.hue for view in views]).clamp(0, 1)
    return image * 2 - 1


def _luma(image: Tensor) -> Tensor:
    if image.shape[1] == 1:
        return image
    return (image * constant(LUMA, image.device).reshape(1, 3, 1, 1)).sum(dim=1, keepdim=True)


def _hue(image: Tensor, turns: Sequence[float]) -> Tensor:
    """RGB with its chrominance turned by so many turns; luma stays."""
    angle = -2 * math.pi * torch.tensor(turns)  # from red by way of yellow to green
    turn = torch.eye(3).repeat(len(turns), 1, 1)
    turn[:, 1, 1] = turn[:, 2, 2] = angle.cos()
    turn[:, 1, 2], turn[:, 2, 1] = -angle.sin(), angle.sin()
    matrices = send(torch.linalg.inv(TO_YIQ) @ turn @ TO_YIQ, image.device)
    return torch.einsum("bij,bjhw->bihw", matrices, image)
