"""Random augmentation of pairs and of whole batches: crop, flips, turns, rotation, scale, colours."""

import math
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from pix2pix.data.device import copy_to_device, device_constant

Images = Tensor | Sequence[Tensor]  # (B, C, H, W), or (C, H, W) of several sizes
Share = Annotated[float, Field(ge=0, lt=1)]

LUMA = (0.299, 0.587, 0.114)
TO_YIQ = torch.tensor([LUMA, (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112)])  # NTSC; hue is an angle in I, Q


class Augment(BaseModel):
    """The largest random change in either direction; 0 turns it off. Colours change in the source alone.

    Rotation is in degrees, hue in turns of the colour circle, the others are shares: a scale of 0.1 is 0.9 to 1.1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    rotation: Annotated[float, Field(ge=0, le=180)] = 0.0
    scale: Share = 0.0
    brightness: Share = 0.0
    contrast: Share = 0.0
    saturation: Share = 0.0
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0

    @property
    def changes_colours(self) -> bool:
        """Whether brightness, contrast, saturation or hue may change."""
        return any((self.brightness, self.contrast, self.saturation, self.hue))

    @property
    def resamples(self) -> bool:
        """Whether the result is sampled between pixels."""
        return bool(self.rotation or self.scale)


class View(NamedTuple):
    """One sample of all random choices, for both images of a pair: crop, flips, turn, and the changes of `Augment`."""

    top: int
    left: int
    mirror: bool
    rotation: float = 0.0  # degrees, counterclockwise
    scale: float = 1.0
    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    hue: float = 0.0  # turns, from red towards green
    vertical_flip: bool = False
    quarter_turns: int = 0  # 0 to 3, counterclockwise, after the flips


def sample_view(
    image_size: Sequence[int],
    crop_size: Sequence[int],
    limits: Augment,
    mirror: bool,
    random: np.random.Generator,
    *,
    vertical_flip: bool = False,
    quarter_turns: bool = False,
) -> View:
    """Samples a view; sizes are (height, width). Every number is drawn each time, so an option changes no other."""
    top, left = (int(random.integers(whole - part + 1)) for whole, part in zip(image_size, crop_size, strict=True))
    is_mirrored = bool(random.integers(2)) and mirror
    rotation, scale, brightness, contrast, saturation, hue = random.uniform(-1, 1, 6).tolist()
    # The latest draws come last, so that earlier runs keep theirs.
    is_flipped, turns = bool(random.integers(2)) and vertical_flip, int(random.integers(4))
    return View(
        *(top, left, is_mirrored),
        rotation=rotation * limits.rotation,
        scale=1 + scale * limits.scale,
        brightness=1 + brightness * limits.brightness,
        contrast=1 + contrast * limits.contrast,
        saturation=1 + saturation * limits.saturation,
        hue=hue * limits.hue,
        vertical_flip=is_flipped,
        quarter_turns=turns if quarter_turns else 0,
    )


def crop(images: Images, views: Sequence[View], size: tuple[int, int]) -> Tensor:
    """The crops (B, C, *size) at the corners of the views, flipped and turned as the views say."""
    crops = []
    for image, view in zip(images, views, strict=True):
        part = image[:, view.top : view.top + size[0], view.left : view.left + size[1]]
        crops.append(flip_and_turn(part, view))
    return torch.stack(crops) if len(crops) > 1 else crops[0][None]  # a single crop needs no copy


def flip_and_turn(image: Tensor, view: View) -> Tensor:
    """(C, H, W) with the mirror, the vertical flip and the quarter turns of a view; a turned image is square."""
    axes = [-1] * view.mirror + [-2] * view.vertical_flip
    pixels = image.view(torch.int16) if image.dtype == torch.uint16 else image  # torch cannot flip uint16
    pixels = pixels.flip(axes) if axes else pixels
    return (torch.rot90(pixels, view.quarter_turns, (-2, -1)) if view.quarter_turns else pixels).view(image.dtype)


def rotate_scale(images: Tensor, views: Sequence[View], size: tuple[int, int], *, is_label_map: bool) -> Tensor:
    """The same crops of float images (B, C, H, W), rotated and scaled about their centres.

    Beyond the borders images continue by reflection. A label map is sampled at the nearest pixel, other images
    bicubically and clipped to [-1, 1].
    """
    height, width = images.shape[-2:]
    # One matrix for crop, flips, turns, rotation and scale: the pixels are sampled once, and so blurred once.
    maps = torch.tensor([_affine_matrix(view, (height, width), size) for view in views])
    shape = [len(images), images.shape[1], *size]
    grid = F.affine_grid(copy_to_device(maps, images.device), shape, align_corners=False)
    mode = "nearest" if is_label_map else "bicubic"
    return F.grid_sample(images, grid, mode, padding_mode="reflection", align_corners=False).clamp_(-1, 1)


def _affine_matrix(view: View, image_size: tuple[int, int], size: tuple[int, int]) -> list[list[float]]:
    """The 2x3 matrix from coordinates in the view to coordinates in the image, both from -1 to 1."""
    (height, width), (crop_height, crop_width) = image_size, size
    cosine, sine = (f(math.radians(view.rotation)) / view.scale for f in (math.cos, math.sin))
    # centre of the crop, from the centre of the image
    x, y = view.left + (crop_width - width) / 2, view.top + (crop_height - height) / 2
    # Rotation and scale in pixels, each row divided by half a side of the image: affine_grid's sides go from -1 to 1.
    signed_width = -crop_width if view.mirror else crop_width
    signed_height = -crop_height if view.vertical_flip else crop_height
    matrix = [
        [cosine * signed_width / width, -sine * signed_height / width, 2 * (cosine * x - sine * y) / width],
        [sine * signed_width / height, cosine * signed_height / height, 2 * (sine * x + cosine * y) / height],
    ]
    for _ in range(view.quarter_turns):  # a turned view shows at (x, y) what lay at (-y, x)
        matrix = [[of_y, -of_x, shift] for of_x, of_y, shift in matrix]
    return matrix


def color_jitter(images: Tensor, views: Sequence[View]) -> Tensor:
    """Applies the brightness, contrast, saturation and hue of the views to (B, C, H, W) in [-1, 1], grey or RGB."""

    def factors(values: Sequence[float]) -> Tensor:
        return copy_to_device(torch.tensor(values), images.device).reshape(-1, 1, 1, 1)

    # In [0, 1], each change clipped before the next: brightness, contrast about the mean luma of the picture,
    # saturation about the luma of each pixel, hue.
    image = ((images + 1) / 2 * factors([view.brightness for view in views])).clamp(0, 1)
    mean = _luma(image).mean(dim=(2, 3), keepdim=True)
    image = torch.lerp(mean, image, factors([view.contrast for view in views])).clamp(0, 1)
    if image.shape[1] == 3:
        image = torch.lerp(_luma(image), image, factors([view.saturation for view in views])).clamp(0, 1)
        image = _shift_hue(image, [view.hue for view in views]).clamp(0, 1)
    return image * 2 - 1


def _luma(image: Tensor) -> Tensor:
    if image.shape[1] == 1:
        return image
    return (image * device_constant(LUMA, image.device).reshape(1, 3, 1, 1)).sum(dim=1, keepdim=True)


def _shift_hue(image: Tensor, turns: Sequence[float]) -> Tensor:
    """RGB with the angle of its chrominance shifted by a number of turns; luma is unchanged."""
    angle = -2 * math.pi * torch.tensor(turns)  # from red by way of yellow to green
    # In YIQ the hue is an angle: I and Q are rotated, the luma Y stays.
    rotation = torch.eye(3).repeat(len(turns), 1, 1)
    rotation[:, 1, 1] = rotation[:, 2, 2] = angle.cos()
    rotation[:, 1, 2], rotation[:, 2, 1] = -angle.sin(), angle.sin()
    matrices = copy_to_device(torch.linalg.inv(TO_YIQ) @ rotation @ TO_YIQ, image.device)
    return torch.einsum("bij,bjhw->bihw", matrices, image)
