"""Bringing pictures to the size of the network: the modes of `data.preprocess`.

| mode | training pictures | evaluated pictures |
|---|---|---|
| `resize_and_crop` | resized to the load size, cropped at random | resized to the size |
| `scale_width_and_crop` | width to the load width, height in proportion, cropped | width to the width, the centre |
| `crop` | as they are, cropped at random | the centre |
| `pad` | fitted into the load size, the rest by reflection, cropped | likewise into the size |
| `none` | as they are, whole | as they are |
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Preprocess = Literal["resize_and_crop", "scale_width_and_crop", "crop", "pad", "none"]
Size = tuple[int, int]


def fitted(image: Tensor, size: Size, crop: Size, preprocess: Preprocess, *, labels: bool = False) -> Tensor:
    """An image (C, H, W) as crops of size `crop` are cut from it; a function of the image alone.

    Args:
        size: height and width before the crop, as far as the mode uses them.
        crop: height and width of the crops; what is scaled is not made smaller.
        labels: whether to take the nearest pixel, as classes must not mix.

    Raises:
        ValueError: in mode `crop`, for an image smaller than the crop.
    """
    height, width = image.shape[1:]
    if preprocess == "resize_and_crop":
        return resize(image, size, labels=labels)
    if preprocess == "scale_width_and_crop":
        return resize(image, (max(round(height * size[1] / width), crop[0]), size[1]), labels=labels)
    if preprocess == "pad":
        share = min(size[0] / height, size[1] / width)
        inside = max(1, round(height * share)), max(1, round(width * share))
        return reflected(resize(image, inside, labels=labels), size)
    if preprocess == "crop" and (height < crop[0] or width < crop[1]):
        raise ValueError(
            f"{height}x{width} pixels are less than the crop {crop[0]}x{crop[1]}. "
            "Set data.preprocess=pad or resize_and_crop, or a smaller data.size."
        )
    return image


def evaluated(image: Tensor, size: Size, preprocess: Preprocess, *, labels: bool = False) -> Tensor:
    """An image (C, H, W) as it is evaluated: (C, *size), or of its own size in mode `none`."""
    image = fitted(image, size, size, preprocess, labels=labels)
    return image if preprocess == "none" else centre(image, size)


def centre(image: Tensor, size: Size) -> Tensor:
    """The middle (C, *size) of an image."""
    top, left = (image.shape[1] - size[0]) // 2, (image.shape[2] - size[1]) // 2
    return image[:, top : top + size[0], left : left + size[1]]


def reflected(image: Tensor, size: Size) -> Tensor:
    """An image (C, H, W) in the middle of (C, *size), the rest its reflections in its borders."""
    rows, columns = (
        _reflections(have, length).to(image.device) for have, length in zip(image.shape[1:], size, strict=True)
    )
    return image[:, rows][:, :, columns]


def _reflections(have: int, length: int) -> Tensor:
    """Which of `have` pixels stand in a line of `length`, to and fro."""
    period = max(2 * (have - 1), 1)
    places = (torch.arange(length) - (length - have) // 2).remainder(period)
    return torch.minimum(places, period - places) if have > 1 else torch.zeros(length, dtype=torch.int64)


def resize(image: Tensor, size: tuple[int, int], *, labels: bool = False) -> Tensor:
    """(C, H, W) to (C, *size): bicubic and antialiased, or the nearest pixel where labels must not mix.

    Their type is kept. Bytes are resized as bytes; wider integers as float32, and rounded.
    """
    if image.shape[1:] == size:
        return image
    if labels:
        return F.interpolate(image[None], size, mode="nearest-exact")[0]
    if image.dtype == torch.uint8:
        batch = image.permute(1, 2, 0)[None].permute(
            0, 3, 1, 2
        )  # image[None] would hide that channels lie side by side
        return F.interpolate(batch, size, mode="bicubic", antialias=True)[0]  # as which torch is quicker
    resized = F.interpolate(image[None].to(torch.float32), size, mode="bicubic", antialias=True)[0]
    if image.dtype.is_floating_point:
        return resized
    limits = torch.iinfo(image.dtype)
    return resized.double().round().clamp(limits.min, limits.max).to(image.dtype)
