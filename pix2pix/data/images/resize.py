"""Resizes pictures to the size of the network: the modes of `data.preprocess`.

| mode | training pictures | pictures for evaluation |
|---|---|---|
| `resize_and_crop` | resized to the load size, cropped at random | resized to the size |
| `scale_width_and_crop` | width to the load width, in proportion, cropped at random | width to the width, centre |
| `crop` | kept, cropped at random | kept, centre |
| `pad` | scaled into the load size, padded by reflection, cropped at random | scaled into the size and padded |
| `none` | kept whole | kept whole |
"""

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

Preprocess = Literal["resize_and_crop", "scale_width_and_crop", "crop", "pad", "none"]
Size = tuple[int, int]  # (height, width)
Pixels = Annotated[int, Field(ge=1, le=2**16)]  # in pixels; of a network's pictures, which one batch holds whole


def flip_size(size: Size) -> tuple[int, int]:
    """(width, height), as Pillow has it, to (height, width); and back."""
    return size[1], size[0]


def resize_for_training(
    image: Tensor,
    load_size: Size,
    crop_size: Size,
    preprocess: Preprocess,
    *,
    is_label_map: bool = False,
    partner: Size | None = None,
) -> Tensor:
    """An image (C, H, W) at the size before the random crop; depends on the image and the size of its partner alone.

    Args:
        load_size: height and width before the crop, as far as the mode uses them.
        crop_size: height and width of the crops; a mode that scales gives no less.
        is_label_map: whether to take the nearest pixel, because classes must not blend.
        partner: the size of the other image of its pair, whose proportions it takes in mode `pad`; None for its own.

    Raises:
        ValueError: in mode `crop`, for an image smaller than the crop; in mode `pad`, for one of other proportions than
            its partner.
    """
    height, width = image.shape[1:]
    if preprocess == "crop" and (height < crop_size[0] or width < crop_size[1]):
        raise ValueError(
            f"{height}x{width} pixels are less than the crop {crop_size[0]}x{crop_size[1]}. "
            "Set data.preprocess=pad or resize_and_crop, or a smaller data.size."
        )
    if preprocess == "pad":
        scaled_size = _fit_pair((height, width), partner or (height, width), load_size)
        return reflect_pad(resize(image, scaled_size, is_label_map=is_label_map), load_size)
    return resize(image, resized_size((height, width), load_size, crop_size, preprocess), is_label_map=is_label_map)


def resized_size(size: Size, load_size: Size, crop_size: Size, preprocess: Preprocess) -> Size:
    """The size to which a mode resizes an image of `size`, before any padding and crop."""
    height, width = size
    if preprocess == "resize_and_crop":
        return load_size
    if preprocess == "scale_width_and_crop":
        return max(round(height * load_size[1] / width), crop_size[0]), load_size[1]
    return _fit(size, load_size) if preprocess == "pad" else size


def _fit_pair(size: Size, partner: Size, into: Size) -> Size:
    """The largest size of the partner's proportions within `into`. Raises ValueError where `size` has others."""
    # Both are scaled alone; sizes that differ by rounding count as the same proportions.
    own, fitted = _fit(size, into), _fit(partner, into)
    if any(abs(a - b) > 1 for a, b in zip(own, fitted, strict=True)):
        (height, width), (h, w) = size, partner
        raise ValueError(
            f"images of {h}x{w} and {height}x{width} have other proportions, and padding would move one against the "
            "other. Crop the files to one field of view, or set data.preprocess=resize_and_crop, which stretches them."
        )
    return fitted


def _fit(size: Size, into: Size) -> Size:
    scale = min(into[0] / size[0], into[1] / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def resize_for_eval(
    image: Tensor, size: Size, preprocess: Preprocess, *, is_label_map: bool = False, partner: Size | None = None
) -> Tensor:
    """An image (C, H, W) at the size for evaluation: (C, *size), or its own size in mode `none`."""
    image = resize_for_training(image, size, size, preprocess, is_label_map=is_label_map, partner=partner)
    return image if preprocess == "none" else center_crop(image, size)


def center_crop(image: Tensor, size: Size) -> Tensor:
    """The middle (C, *size) of an image."""
    top, left = (image.shape[1] - size[0]) // 2, (image.shape[2] - size[1]) // 2
    return image[:, top : top + size[0], left : left + size[1]]


def reflect_pad(image: Tensor, size: Size) -> Tensor:
    """An image (C, H, W) in the middle of (C, *size), the rest filled by reflection at its borders."""
    rows, columns = (
        _reflected_indices(old, new).to(image.device) for old, new in zip(image.shape[1:], size, strict=True)
    )
    return image[:, rows][:, :, columns]


def _reflected_indices(old: int, new: int) -> Tensor:
    """For each of `new` places in a row the index, below `old`, of the pixel that stands there."""
    # Reflection repeats after 2 (old - 1) places: there and back, with each border pixel once.
    period = max(2 * (old - 1), 1)
    places = (torch.arange(new) - (new - old) // 2).remainder(period)
    return torch.minimum(places, period - places) if old > 1 else torch.zeros(new, dtype=torch.int64)


def resize(image: Tensor, size: Size, *, is_label_map: bool = False) -> Tensor:
    """(C, H, W) to (C, *size): bicubic and antialiased, or the nearest pixel of a label map.

    The type is kept. Bytes are resized as bytes; wider integers as float32, and rounded.
    """
    if image.shape[1:] == size:
        return image
    if is_label_map:
        return F.interpolate(image[None], size, mode="nearest-exact")[0]
    if image.dtype == torch.uint8:
        # The detour keeps the memory format channels-last, for which torch is faster; image[None] would lose it.
        batch = image.permute(1, 2, 0)[None].permute(0, 3, 1, 2)
        return F.interpolate(batch, size, mode="bicubic", antialias=True)[0]
    resized = F.interpolate(image[None].to(torch.float32), size, mode="bicubic", antialias=True)[0]
    if image.dtype.is_floating_point:
        return resized
    # Bicubic resizing overshoots at edges; doubles, because float32 cannot hold the largest int32.
    limits = torch.iinfo(image.dtype)
    return resized.double().round().clamp(limits.min, limits.max).to(image.dtype)
