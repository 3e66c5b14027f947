"""Checks what the code of users returns: in words, where an error of torch would come later and say less."""

from typing import Any

import torch
from torch import Tensor, nn


def describe_value(value: object) -> str:
    """What a value is, in words: the shape of a tensor, or the type of anything else."""
    return f"a tensor {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"


def require_loss(loss: Any, term: nn.Module, fake: Tensor) -> Tensor:
    """The loss of a term. Raises ValueError for anything but a scalar through which gradients reach the output."""
    name = f"objective.terms: {type(term).__qualname__}"
    if not isinstance(loss, Tensor) or loss.ndim or not loss.is_floating_point():
        kind = f" of {loss.dtype}" if isinstance(loss, Tensor) else ""
        raise ValueError(
            f"{name} returned {describe_value(loss)}{kind}. It must return a scalar tensor () of floats, as a mean is."
        )
    if loss.device != fake.device:
        raise ValueError(f"{name} returned a loss on {loss.device}, but the pictures are on {fake.device}.")
    if fake.requires_grad and torch.is_grad_enabled() and not loss.requires_grad:
        raise ValueError(
            f"{name} returned a loss without a gradient, so it trains nothing. Compute it with torch from the outputs, "
            "without detach() or no_grad(); to log a number, use a metric."
        )
    return loss
