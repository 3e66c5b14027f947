"""Convolutions whose weights are arranged once as oneDNN reads them, and which keep pictures in channels_last.

torch arranges the weights of a convolution anew in every forward pass. For a few pictures this takes as long as the
arithmetic. In channels_last the features need no such pass either.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from pix2pix.core.allocator import return_freed_memory
from pix2pix.models.winograd import WinogradConvolution

_ONEDNN: Any = torch.ops.mkldnn  # what torch.compile calls in a network that it has frozen
_CONVOLUTION = "_reorder_convolution_weight", "_convolution_pointwise"
_OPERATIONS = {
    nn.Conv2d: _CONVOLUTION,
    WinogradConvolution: _CONVOLUTION,
    nn.ConvTranspose2d: ("_reorder_convolution_transpose_weight", "_convolution_transpose_pointwise"),
}


class PackedConvolution(nn.Module):
    """A convolution on a CPU, transposed or not, without gradients and without a state to save.

    Args:
        convolution: the convolution; its weights of this moment are taken.
        shape: the shape (B, C, H, W) of what it will be given. Others are possible, but the first of each size is slow.
    """

    def __init__(self, convolution: nn.Conv2d | nn.ConvTranspose2d, shape: torch.Size) -> None:
        super().__init__()
        self.bias = convolution.bias
        self._is_transposed = isinstance(convolution, nn.ConvTranspose2d)
        padding = [convolution.padding, convolution.output_padding] if self._is_transposed else [convolution.padding]
        self._settings = [*padding, convolution.stride, convolution.dilation, convolution.groups]
        self._pack, self._convolve = (getattr(_ONEDNN, name) for name in _OPERATIONS[type(convolution)])
        self._weight, self._shape = self._pack(convolution.weight.detach(), *self._settings, list(shape)), shape[1:]

    def forward(self, x: Tensor) -> Tensor:
        """The features of x (B, C, H, W), in channels_last."""
        if x.shape[1:] != self._shape:
            # The best arrangement depends on the size. In another one each pass would arrange the weights again.
            self._weight = self._pack(self._unpack(), *self._settings, list(x.shape))
            self._shape = x.shape[1:]
        x = x.contiguous(memory_format=torch.channels_last)
        return self._convolve(x, self._weight, self.bias, *self._settings, "none", [], "")

    def _unpack(self) -> Tensor:
        """The weights in the order of the convolution that was given."""
        plain = self._weight.to_dense()
        return plain.transpose(0, 1) if self._is_transposed else plain


def pack_convolutions(network: nn.Module, shape: tuple[int, int, int, int]) -> None:
    """Replaces the float32 convolutions of a network of this package on a CPU, for inputs of `shape` (B, C, H, W).

    Other networks stay as they are: they may use the weights of their convolutions elsewhere.
    """
    is_own = all(type(module).__module__.split(".")[0] in {"pix2pix", "torch"} for module in network.modules())
    if not is_own or not any(map(_is_packable, network.modules())):
        return
    for name, seen in _find_input_shapes(network, shape).items():
        parent, _, last = name.rpartition(".")
        place: Any = network.get_submodule(parent)
        plain = getattr(place, last)
        if isinstance(plain, WinogradConvolution) and plain.is_faster(seen):
            continue
        setattr(place, last, PackedConvolution(plain, seen))
        return_freed_memory()  # the plain weights: a layer at a time, so that the network never takes twice its memory


def _is_packable(module: nn.Module) -> bool:
    if type(module) not in _OPERATIONS or not torch.backends.mkldnn.is_available():
        return False
    if isinstance(module.padding, str) or module.padding_mode != "zeros" or module.groups != 1:
        return False
    if module._forward_pre_hooks:  # such as those of torch's spectral norm, which compute the weight
        return False
    weight: Any = module.weight
    has_operations = all(hasattr(_ONEDNN, name) for name in _OPERATIONS[type(module)])
    return has_operations and weight.device.type == "cpu" and weight.dtype == torch.float32


def _find_input_shapes(network: nn.Module, shape: tuple[int, int, int, int]) -> dict[str, torch.Size]:
    """The shape of the input of each convolution that can be packed, by a forward pass on shapes alone."""
    shapes: dict[str, torch.Size] = {}

    def record(name: str, module: nn.Module, inputs: tuple[Tensor]) -> None:
        shapes[name] = inputs[0].shape

    hooks = [
        module.register_forward_pre_hook(partial(record, name))
        for name, module in network.named_modules()
        if _is_packable(module)
    ]
    state = {name: value.to("meta") for name, value in [*network.named_parameters(), *network.named_buffers()]}
    try:
        with torch.no_grad():
            functional_call(network, state, torch.empty(shape, device="meta"))
    finally:
        for hook in hooks:
            hook.remove()
    return shapes
