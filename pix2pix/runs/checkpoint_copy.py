"""Copies the state of a training, so that it can be written while the next steps change the original."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def copy_state(state: dict[str, Any]) -> dict[str, Any]:
    """A copy of nested dictionaries, lists and tensors, with all tensors in the memory of the processor.

    From a GPU the tensors are copied together, to pinned memory, which torch keeps for the next copy. The function
    returns when all are there.
    """
    copied = _copy(state)
    if torch.cuda.is_initialized():
        torch.cuda.current_stream().synchronize()
    return copied


def _copy(value: Any) -> Any:
    if isinstance(value, Tensor):
        return _copy_tensor(value.detach())
    if isinstance(value, Mapping):
        # A shallow copy first: torch keeps the versions of modules as an attribute of the dictionary.
        new: Any = copy.copy(value)
        new.update({key: _copy(part) for key, part in value.items()})
        return new
    if type(value) in {list, tuple}:
        return type(value)(map(_copy, value))
    return copy.copy(value)  # sets; numbers and text stay the same object


def _copy_tensor(tensor: Tensor) -> Tensor:
    if tensor.device.type == "cpu":
        return tensor.clone()
    if not tensor.is_cuda:
        return tensor.cpu()
    try:
        pinned = torch.empty_like(tensor, device="cpu", pin_memory=True)
    except RuntimeError:  # the system limits pinned memory
        return tensor.cpu()
    return pinned.copy_(tensor, non_blocking=True)
