"""Converts weights of the authors' PyTorch implementation to our parameter names."""

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
COUNTER = "num_batches_tracked"  # of a batch norm; files from before PyTorch 0.4.1 have none


def convert_reference_weights(state: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """The reference's state dict, as in its `.pth` files, as one that `network` loads.

    Both build the same layers in the same order; the numbers in the reference's keys, read as paths, are that order,
    for nested U-Nets too. Old and wrapped files are welcome: batch norms may lack their counters, what an instance norm
    recorded without using it is left out, and see `plain`.

    Raises:
        ValueError: when layers or shapes do not fit.
    """
    ours, state = network.state_dict(), unwrap_weights(state)
    theirs, names = order_layers(state), _list_layers(ours)
    if len(theirs) != len(names):
        raise ValueError(
            f"the file has {len(theirs)} layers with weights, the network {len(names)}: not the same network. "
            "Compare its kind, depth or blocks, and norm."
        )
    name_of = dict(zip(theirs, names, strict=True))
    mapped = {key: value for key, value in ours.items() if key.endswith(COUNTER)}
    for key, value in state.items():
        layer, _, leaf = key.rpartition(".")
        if layer in name_of:
            mapped[f"{name_of[layer]}.{leaf}"] = value
    if not any(isinstance(module, NORMS) for module in network.modules()):  # then the reference has no biases inside
        inside = [f"{layer}.bias" for layer in names[:-1]]
        mapped |= {key: torch.zeros_like(ours[key]) for key in inside if key in ours and key not in mapped}
    _require_same_shapes(ours, mapped)
    return mapped


def read_state_dict(file: Path) -> dict[str, Tensor]:
    """The state dict in a `.pth` file, nothing else of which is executed. Raises ValueError when there is none."""
    if not file.is_file():
        raise FileNotFoundError(f"{file}: no such file.")
    require_intact(file)
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever the bytes happen to provoke
        raise ValueError(f"{file}: cannot be read as PyTorch weights ({describe_unreadable(file, error)}).") from error
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise ValueError(f"{file}: not a state dict, a mapping of names to tensors, such as latest_net_G.pth is.")
    return dict(content)


def unwrap_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict without the prefixes of wrappers, and with spectrally normalised weights multiplied out."""
    unwrapped = {_strip_wrappers(key): value for key, value in state.items()}
    return _apply_spectral_norm(unwrapped)


def _strip_wrappers(key: str) -> str:
    """`module.` is of DataParallel, `_orig_mod.` of torch.compile."""
    while key.startswith(WRAPPERS):
        key = key.partition(".")[2]
    return key


def _apply_spectral_norm(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights divided by their largest singular value, as the norm's own vectors estimate it; old files lack one."""
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
    """u W v; of a transposed convolution the rows of W are its second axis, which u's length does not always tell."""
    estimates = []
    for matrix in (weight.flatten(1), weight.transpose(0, 1).flatten(1)):
        if len(matrix) == len(left):
            v = torch.nn.functional.normalize(matrix.T @ left, dim=0) if right is None else right
            estimates.append(left @ matrix @ v)
    return torch.stack(estimates).max()


def order_layers(state: Mapping[str, Tensor]) -> list[str]:
    """The layers with weights of a reference network, in the order in which they run."""
    return sorted(_list_layers(state), key=_layer_numbers)


def _list_layers(state: Mapping[str, Tensor]) -> list[str]:
    return [key.removesuffix(".weight") for key in state if key.endswith(".weight")]


def _layer_numbers(layer: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", layer)]


def _require_same_shapes(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> None:
    for key in {**ours, **theirs}:
        needed, found = (tuple(s[key].shape) if key in s else "nothing" for s in (ours, theirs))
        if needed != found:
            raise ValueError(
                f"{key}: the network has {needed}, the file has {found}. Compare base_channels, norm and channels."
            )
