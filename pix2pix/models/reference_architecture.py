"""Recognises the architecture of the authors' PyTorch implementation from a state dict."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from pix2pix.models.norms import Norm
from pix2pix.models.patchgan import STRIDED_CONVOLUTIONS
from pix2pix.models.reference_weights import order_layers, unwrap_weights


def recognise_generator(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """The component, `_target_` and arguments, of the U-Net or ResNet that `state` holds the weights of.

    A U-Net's dropout leaves no trace in its weights: it is taken to be the reference's default, 0.5.

    Raises:
        ValueError: when it is neither.
    """
    state = unwrap_weights(state)
    convolutions = _convolutions(state)
    kernels = [tuple(weight.shape[2:]) for weight in convolutions.values()]
    if kernels and kernels[0] == (7, 7) == kernels[-1]:
        return _describe_resnet(state, convolutions)
    if len(kernels) >= 4 and len(kernels) % 2 == 0 and set(kernels) == {(4, 4)}:
        return _describe_unet(state, convolutions)
    raise ValueError(
        f"these weights are of no generator that is known here: {len(kernels)} convolutions of sides "
        f"{_list_kernels(kernels)}. Known are the reference's U-Nets (all 4x4) and ResNets (7x7 first and last)."
    )


def _describe_unet(state: Mapping[str, Tensor], convolutions: Mapping[str, Tensor]) -> dict[str, Any]:
    first, *_, last = convolutions.values()
    return {
        "_target_": "pix2pix.models.UNet",
        "in_channels": first.shape[1],
        "out_channels": last.shape[1],
        "base_channels": first.shape[0],
        "depth": len(convolutions) // 2,
        "norm": _recognise_norm(state, list(convolutions)[1:-1]),
        "dropout": 0.5,
        "noise": "reference",
    }


def _describe_resnet(state: Mapping[str, Tensor], convolutions: Mapping[str, Tensor]) -> dict[str, Any]:
    first, *_, last = convolutions.values()
    inside = [name for name in convolutions if ".conv_block." in name]
    noisy = any(name.endswith(".conv_block.6") for name in inside)  # a dropout moves the second convolution from 5 to 6
    return {
        "_target_": "pix2pix.models.ResNet",
        "in_channels": first.shape[1],
        "out_channels": last.shape[0],
        "base_channels": first.shape[0],
        "blocks": len(inside) // 2,
        "norm": _recognise_norm(state, list(convolutions)[:-1]),
        "dropout": 0.5 if noisy else 0.0,
    }


def recognise_discriminator(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """The component of the PatchGAN or PixelGAN that `state` holds the weights of. Raises ValueError for another."""
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
            f"these weights are of no discriminator that is known here: {len(kernels)} convolutions of sides "
            f"{_list_kernels(kernels)}. Known are the reference's PatchGANs (all 4x4) and its PixelGAN (three of 1x1)."
        )
    first = next(iter(convolutions.values()))
    return {
        "_target_": "pix2pix.models.PatchGAN",
        "in_channels": first.shape[1],
        "receptive_field": field,
        "base_channels": first.shape[0],
        "norm": _recognise_norm(state, list(convolutions)[1:-1]),
    }


def _convolutions(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of the convolutions by layer, in the order in which the network runs them."""
    return {layer: state[f"{layer}.weight"] for layer in order_layers(state) if state[f"{layer}.weight"].ndim == 4}


def _recognise_norm(state: Mapping[str, Tensor], normalised: list[str]) -> Norm:
    """Batch norms have weights. Instance norms have none, but the convolutions before them keep their biases."""
    if any(value.ndim == 1 for key, value in state.items() if key.endswith(".weight")):
        if not any(key.endswith("running_mean") for key in state):
            raise ValueError("these norms have weights but no statistics: affine instance norms are not known here.")
        return "batch"
    return "instance" if any(f"{layer}.bias" in state for layer in normalised) else "none"


def _list_kernels(kernels: list[tuple[int, ...]]) -> str:
    return ", ".join(sorted({"x".join(map(str, kernel)) for kernel in kernels})) or "none"
