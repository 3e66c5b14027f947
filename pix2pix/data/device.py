"""Copies small tensors to the training device once, so that no step waits for them.

Copying a tensor to a GPU waits for everything that was asked of it before, unless the memory copied from is pinned.
"""

import functools
from typing import Any

import torch
from torch import Tensor


@functools.lru_cache(maxsize=128)
def device_constant(values: tuple[Any, ...], device: torch.device) -> Tensor:
    """Numbers that never change, (nested) tuples, as a float32 tensor that is sent to each device once."""
    with torch.inference_mode(False):  # a validation may be the first to ask, and a training step the next
        return torch.tensor(values, dtype=torch.float32, device=device)


def copy_to_device(numbers: Tensor, device: torch.device) -> Tensor:
    """Numbers that are other ones in each step, on `device`."""
    if device.type in {"cpu", "mps"}:
        return numbers.to(device)
    return _pin(numbers).to(device, non_blocking=True)


def _pin(numbers: Tensor) -> Tensor:
    """A copy in pinned memory, which torch keeps until the device has read it."""
    return numbers.pin_memory()
