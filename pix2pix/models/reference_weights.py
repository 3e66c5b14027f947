"""Converts weights of the authors' PyTorch implementation to the parameter names of this package."""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from pix2pix.core.integrity import describe_unreadable, require_intact
from pix2pix.models.initialisation import NORMS

WRAPPERS = ("module.", "_orig_mod.")
SPECTRAL = (  # the weight, u and v of torch's two spectral norms
    (".weight_orig", ".weight_u", ".weight_v"),
    (".parametrizations.weight.original", ".parametrizations.weight.0._u", ".parametrizations.weight.0._v"),
)
COUNTER = "num_batches_tracked"  # of batch norms; missing in files from before PyTorch 0.4.1


def convert_reference_weights(state: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Converts a state dict of the reference, as in its `.pth` files, to one that `network` loads.

    Both have the same layers in the same order, which for the reference is that of the numbers in its keys, even in
    nested U-Nets. Batch norm counters may be missing, and unused statistics of instance norms are dropped.
    `unwrap_weights` says what else is accepted.

    Raises:
        ValueError: when layers or shapes differ.
    """
    ours, state = network.state_dict(), unwrap_weights(state)
    theirs, names = order_layers(state), _list_layers(ours)
    if len(theirs) != len(names):
        raise ValueError(
            f"the file has {len(theirs)} layers with weights, the network {len(names)}. They must be the same network: "
            "compare architecture, depth or blocks, and norm."
        )
    # Both lists are in the order of the forward pass, so the n-th layer of the file is the n-th of the network.
    name_of = dict(zip(theirs, names, strict=True))
    mapped = {key: value for key, value in ours.items() if key.endswith(COUNTER)}
    for key, value in state.items():
        layer, _, leaf = key.rpartition(".")
        if layer in name_of:
            mapped[f"{name_of[layer]}.{leaf}"] = value
    # Without norms this package's convolutions have biases and the reference's have none, but for the last: zeros.
    if not any(isinstance(module, NORMS) for module in network.modules()):
        inside = [f"{layer}.bias" for layer in names[:-1]]
        mapped |= {key: torch.zeros_like(ours[key]) for key in inside if key in ours and key not in mapped}
    _require_same_shapes(ours, mapped)
    return mapped


def read_state_dict(file: Path) -> dict[str, Tensor]:
    """Reads a state dict from a `.pth` file without executing code in it. Raises ValueError for other content."""
    if not file.is_file():
        raise FileNotFoundError(f"{file}: no such file.")
    require_intact(file)
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file makes torch raise errors of any type
        raise ValueError(f"{file}: cannot be read as PyTorch weights ({describe_unreadable(file, error)}).") from error
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise ValueError(
            f"{file}: not a state dict (a mapping of names to tensors). Give a file such as latest_net_G.pth."
        )
    return dict(content)


def unwrap_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict without prefixes of wrapping modules, and with spectral norm applied to the weights."""
    unwrapped = {_strip_wrappers(key): value for key, value in state.items()}
    return _apply_spectral_norm(unwrapped)


def _strip_wrappers(key: str) -> str:
    """Removes `module.` of DataParallel and `_orig_mod.` of torch.compile."""
    while key.startswith(WRAPPERS):
        key = key.partition(".")[2]
    return key


def _apply_spectral_norm(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Divides weights by their largest singular value, estimated by the norm's vectors u and v; old files lack v."""
    # A layer with spectral norm stores its raw weight and the vectors u and v in place of `weight`. These three become
    # the one normalised weight; everything else is kept.
    result: dict[str, Tensor] = {}
    for key, value in state.items():
        for weight, left, right in SPECTRAL:
            if key.endswith(weight):
                layer = key.removesuffix(weight)
                result[f"{layer}.weight"] = value / _spectral_norm(value, state[layer + left], state.get(layer + right))
                break
        else:
            if not key.endswith(tuple(name for names in SPECTRAL for name in names[1:])):
                result[key] = value
    return result


def _spectral_norm(weight: Tensor, left: Tensor, right: Tensor | None) -> Tensor:
    """u W v. The rows of W are axis 0, or axis 1 of a transposed convolution; if u fits both, the larger estimate."""
    # One step of the power method from u gives v where the file has none.
    estimates = []
    for matrix in (weight.flatten(1), weight.transpose(0, 1).flatten(1)):
        if len(matrix) == len(left):
            v = torch.nn.functional.normalize(matrix.T @ left, dim=0) if right is None else right
            estimates.append(left @ matrix @ v)
    return torch.stack(estimates).max()


def order_layers(state: Mapping[str, Tensor]) -> list[str]:
    """The layers with weights of a reference network, in the order of its forward pass."""
    return sorted(_list_layers(state), key=lambda layer: [int(number) for number in re.findall(r"\d+", layer)])


def _list_layers(state: Mapping[str, Tensor]) -> list[str]:
    return [key.removesuffix(".weight") for key in state if key.endswith(".weight")]


def _require_same_shapes(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> None:
    for key in {**ours, **theirs}:
        network, file = (tuple(s[key].shape) if key in s else "nothing" for s in (ours, theirs))
        if network != file:
            raise ValueError(
                f"{key}: the network has {network}, the file has {file}. Compare base_channels, norm and channels."
            )
