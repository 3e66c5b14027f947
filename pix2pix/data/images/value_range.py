"""Converts pixels of every type to float32 in [-1, 1] and back, without rounding to 8 bits."""

import numpy as np
import torch
from torch import Tensor

from pix2pix.data.images.decode import TYPES, Depth

Limits = tuple[float, float]
WHOLE: dict[torch.dtype, Limits] = {torch.uint8: (0, 255), torch.uint16: (0, 65535), torch.float32: (0, 1)}


def scale(image: Tensor, limits: Limits | None = None) -> Tensor:
    """Pixels to float32 in [-1, 1]: the whole range of their type, or from the first limit to the second, cut there."""
    low, high = limits or WHOLE[image.dtype]
    wide = image.to(torch.float64 if image.dtype == torch.int32 else torch.float32, copy=True)  # which has 24 bits
    scaled = (wide.sub_(low) if low else wide).div_((high - low) / 2).sub_(1).to(torch.float32)
    return scaled if limits is None else scaled.clamp_(-1, 1)


def unscale(image: Tensor, depth: Depth, limits: Limits | None = None) -> np.ndarray:
    """An image (C, H, W) in [-1, 1] as the pixels (H, W, C) that `scale` would make it of, rounded to integers."""
    low, high = limits or WHOLE[torch.from_numpy(np.empty(0, TYPES[depth])).dtype]
    values = (image.detach().cpu().double().clamp(-1, 1) + 1) * ((high - low) / 2) + low
    pixels = values.permute(1, 2, 0).numpy()
    return pixels.astype(TYPES[depth]) if depth == "float" else np.rint(pixels).astype(TYPES[depth])
