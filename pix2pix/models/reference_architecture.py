"""Recognises networks of the authors' PyTorch implementation from their state dicts."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from pix2pix.core.instantiate import TARGET
from pix2pix.models.norms import Norm
from pix2pix.models.patchgan import STRIDED_CONVOLUTIONS
from pix2pix.models.reference_weights import order_layers, unwrap_weights

UNET = "pix2pix.models.UNet"
RESNET_SIZE = 256  # pixels


def recognise_generator(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """The component (`_target_` and arguments) of the U-Net or ResNet whose weights are in `state`.

    Weights do not show a U-Net's dropout, so the reference's default of 0.5 is assumed.

    Raises:
        ValueError: when the weights are of neither.
    """
    state = unwrap_weights(state)
    convolutions = _convolutions(state)
    kernels = [tuple(weight.shape[2:]) for weight in convolutions.values()]
    # ResNets begin and end with 7x7 convolutions. U-Nets have 4x4 alone, as many up as down.
    if kernels and kernels[0] == (7, 7) == kernels[-1]:
        return _describe_resnet(state, convolutions)
    if len(kernels) >= 4 and len(kernels) % 2 == 0 and set(kernels) == {(4, 4)}:
        return _describe_unet(state, convolutions)
    raise ValueError(
        f"the weights are of an unknown generator: {len(kernels)} convolutions with kernels of "
        f"{_list_kernels(kernels)}. Supported: the reference's U-Nets (all 4x4) and ResNets (7x7 first and last)."
    )


def training_size(generator: Mapping[str, Any]) -> int:
    """Height and width, in pixels, that the authors trained a generator at: their U-Nets end at 1x1."""
    return 2 ** generator["depth"] if generator[TARGET] == UNET else RESNET_SIZE


def _describe_unet(state: Mapping[str, Tensor], convolutions: Mapping[str, Tensor]) -> dict[str, Any]:
    # Convolution weights are (out, in, h, w), transposed ones (in, out, h, w): so the outputs are axis 1 of the last.
    first, *_, last = convolutions.values()
    return {
        TARGET: UNET,
        "in_channels": first.shape[1],
        "out_channels": last.shape[1],
        "base_channels": first.shape[0],
        "depth": len(convolutions) // 2,
        "norm": _recognise_norm(state, list(convolutions)[1:-1]),
        "dropout": 0.5,
        "dropout_placement": "reference",
    }


def _describe_resnet(state: Mapping[str, Tensor], convolutions: Mapping[str, Tensor]) -> dict[str, Any]:
    first, *_, last = convolutions.values()
    inside = [name for name in convolutions if ".conv_block." in name]
    has_dropout = any(name.endswith(".conv_block.6") for name in inside)  # without dropout it would be 5
    return {
        TARGET: "pix2pix.models.ResNet",
        "in_channels": first.shape[1],
        "out_channels": last.shape[0],
        "base_channels": first.shape[0],
        "blocks": len(inside) // 2,
        # Half of the others but the first and the last; the other half doubles the size again.
        "downsamplings": (len(convolutions) - len(inside) - 2) // 2,
        "norm": _recognise_norm(state, list(convolutions)[:-1]),
        "dropout": 0.5 if has_dropout else 0.0,
    }


def recognise_discriminator(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """The component of the PatchGAN or PixelGAN whose weights are in `state`. Raises ValueError for other weights."""
    state = unwrap_weights(state)
    convolutions = _convolutions(state)
    kernels = [tuple(weight.shape[2:]) for weight in convolutions.values()]
    fields = {strided: field for field, strided in STRIDED_CONVOLUTIONS.items()}
    if kernels == [(1, 1)] * 3:
        field = 1
    elif set(kernels) == {(4, 4)} and len(kernels) - 2 in fields:
        field = fields[len(kernels) - 2]
    else:
        raise ValueError(
            f"the weights are of an unknown discriminator: {len(kernels)} convolutions with kernels of "
            f"{_list_kernels(kernels)}. Supported: the reference's PatchGANs (all 4x4) and its PixelGAN (three of 1x1)."
        )
    first = next(iter(convolutions.values()))
    return {
        TARGET: "pix2pix.models.PatchGAN",
        "in_channels": first.shape[1],
        "receptive_field": field,
        "base_channels": first.shape[0],
        "norm": _recognise_norm(state, list(convolutions)[1:-1]),
    }


def _convolutions(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weight of each convolution by the name of its layer, in the order of the forward pass."""
    return {layer: state[f"{layer}.weight"] for layer in order_layers(state) if state[f"{layer}.weight"].ndim == 4}


def _recognise_norm(state: Mapping[str, Tensor], layers: list[str]) -> Norm:
    """The norm after `layers`. Batch norm has weights; before instance norm, which has none, layers have biases."""
    if any(value.ndim == 1 for key, value in state.items() if key.endswith(".weight")):
        if not any(key.endswith("running_mean") for key in state):
            raise ValueError("the norms have weights but no running statistics: affine instance norm is not supported.")
        return "batch"
    return "instance" if any(f"{layer}.bias" in state for layer in layers) else "none"


def _list_kernels(kernels: list[tuple[int, ...]]) -> str:
    return ", ".join(sorted({"x".join(map(str, kernel)) for kernel in kernels})) or "none"
