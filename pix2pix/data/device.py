"""Copies small tensors to the training device without making a step wait.

Copying from memory that is not pinned waits until the GPU has finished all earlier work.
"""

import functools
from typing import Any

import torch
from torch import Tensor


@functools.lru_cache(maxsize=128)
def device_constant(values: tuple[Any, ...], device: torch.device) -> Tensor:
    """Constants, given as (nested) tuples, as a float32 tensor that is copied to each device once."""
    with torch.inference_mode(False):  # validation may ask first, and training cannot use its inference tensors
        return torch.tensor(values, dtype=torch.float32, device=device)


def copy_to_device(numbers: Tensor, device: torch.device) -> Tensor:
    """Copies numbers that change in each step to `device`."""
    if device.type in {"cpu", "mps"}:
        return numbers.to(device)
    return _pin(numbers).to(device, non_blocking=True)


def _pin(numbers: Tensor) -> Tensor:
    """A copy in pinned memory, which torch keeps until the device has read it."""
    return numbers.pin_memory()
