"""Pixel types, and their conversion to float32 in [-1, 1] and back without rounding to 8 bits."""

import math
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import AfterValidator
from torch import Tensor

Depth = Literal[8, 16, 32, "float"]
Limits = tuple[float, float]


def _require_rising(limits: Limits) -> Limits:
    if not (limits[0] < limits[1] and all(map(math.isfinite, limits))):
        raise ValueError("the first value must be below the second, and both must be finite")
    return limits


Range = Annotated[Limits, AfterValidator(_require_rising)]  # of a setting

TYPES: dict[Depth, np.dtype] = {
    8: np.dtype(np.uint8),
    16: np.dtype(np.uint16),
    32: np.dtype(np.int32),  # signed integers of any size
    "float": np.dtype(np.float32),
}
DESCRIPTIONS: dict[Depth, str] = {8: "8 bits", 16: "16 bits", 32: "signed integers", "float": "floats"}
FULL_RANGE: dict[torch.dtype, Limits] = {torch.uint8: (0, 255), torch.uint16: (0, 65535), torch.float32: (0, 1)}


def normalize(image: Tensor, limits: Limits | None = None) -> Tensor:
    """Pixels as float32 in [-1, 1]: from the full range of their type, or from `limits`, clipped there."""
    low, high = limits or FULL_RANGE[image.dtype]
    # float32 has 24 bits, too few for 32-bit integers
    wide = image.to(torch.float64 if image.dtype == torch.int32 else torch.float32, copy=True)
    # In place, on the copy: this runs for every batch. (x - low) / ((high - low) / 2) - 1.
    normalized = (wide.sub_(low) if low else wide).div_((high - low) / 2).sub_(1).to(torch.float32)
    return normalized if limits is None else normalized.clamp_(-1, 1)


def denormalize(image: Tensor, depth: Depth, limits: Limits | None = None) -> np.ndarray:
    """The inverse of `normalize`: (C, H, W) in [-1, 1] to pixels (H, W, C) of a depth, rounded to integers."""
    low, high = limits or FULL_RANGE[torch.from_numpy(np.empty(0, TYPES[depth])).dtype]
    values = (image.detach().cpu().double().clamp(-1, 1) + 1) * ((high - low) / 2) + low
    pixels = values.permute(1, 2, 0).numpy()
    if depth == "float":
        return pixels.astype(TYPES[depth])
    most = np.iinfo(TYPES[depth])  # beyond it a type of integers begins again with its smallest value
    return np.rint(pixels).clip(most.min, most.max).astype(TYPES[depth])


def depth_of(dtype: np.dtype) -> Depth:
    """The depth that the settings give to one of TYPES."""
    return next(depth for depth, known in TYPES.items() if known == dtype)


def describe_type(dtype: np.dtype) -> str:
    """A type of pixels in the words of an error message."""
    return f"pixels of {DESCRIPTIONS[depth_of(dtype)]}" if dtype in TYPES.values() else f"{dtype} pixels"
