"""Casts the weights of a network to bfloat16 once, and not whenever a convolution runs.

Autocast casts the weights of each convolution in each forward pass, in a kernel of its own: those of D three times in a
step. Here one call casts all of a network at the start of a step, and those of D again after its update. No number
changes: convolutions see the same rounded weights, and gradients return to float32 as they do under autocast.

The copies follow from the weights, so they are not saved, and whatever changes weights between two steps is seen.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from pix2pix.models.upsampling import ResizeConvolution
from pix2pix.models.winograd import WinogradConvolution

LAYERS = (nn.Conv2d, nn.ConvTranspose2d, WinogradConvolution, ResizeConvolution)
HALF = torch.bfloat16


class HalfWeights:
    """The bfloat16 weights of a network's convolutions, which replace the float32 ones within `use`.

    Layers of other classes, and weights that are computed from others, such as under spectral norm, stay as they are.

    Args:
        network: on its device, in its memory format.
        optimizer: the optimizer of the network, after whose steps the copies are made anew.
    """

    def __init__(self, network: nn.Module, optimizer: Optimizer) -> None:
        self.in_use = False
        self.weights, self.copies = list[Tensor](), list[Tensor]()
        for layer in network.modules():
            if type(layer) in LAYERS:
                copies = {name: weight.detach().to(HALF) for name, weight in layer.named_parameters(recurse=False)}
                self.weights += layer.parameters(recurse=False)
                self.copies += copies.values()
                layer.register_forward_pre_hook(partial(self._hide, copies))
                layer.register_forward_hook(_show, always_call=True)
        optimizer.register_step_post_hook(self._refresh)

    @contextmanager
    def use(self) -> Iterator[None]:
        """Within the block convolutions take the copies, which are made anew first."""
        self.in_use = True
        self._refresh()
        try:
            yield
        finally:
            self.in_use = False

    def _refresh(self, *_: Any) -> None:
        if self.in_use and self.copies:
            with torch.no_grad():
                torch._foreach_copy_(self.copies, self.weights)  # pyright: ignore[reportPrivateImportUsage]

    def _hide(self, copies: dict[str, Tensor], layer: nn.Module, *_: Any) -> None:
        """Before a forward pass: an attribute of the object hides the parameter, which torch keeps in a dictionary."""
        if self.in_use:
            for name, half in copies.items():
                layer.__dict__[name] = _TakeCopy.apply(layer.get_parameter(name), half)


def _show(layer: nn.Module, *_: Any) -> None:
    """After a forward pass: the parameters are what the layer's attributes are again."""
    for name in ("weight", "bias"):
        layer.__dict__.pop(name, None)


class _TakeCopy(torch.autograd.Function):
    """Maps a weight and its copy to the copy, whose gradient is the weight's, in float32."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, half: Tensor) -> Tensor:
        return half.detach()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,) = gradients
        return gradient.float(), None
