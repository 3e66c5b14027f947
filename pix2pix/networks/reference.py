"""Weights of the authors' PyTorch implementation, under our names."""

import re
from collections.abc import Mapping

from torch import Tensor, nn

COUNTER = "num_batches_tracked"  # of a batch norm; files from before PyTorch 0.4.1 have none


def from_reference(state: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """The reference's state dict, as in its `.pth` files, as one that `network` loads.

    Both build the same layers in the same order; the numbers in the reference's keys, read as paths, are that order,
    for nested U-Nets too. Old files are welcome: batch norms may lack their counters, and what an instance norm
    recorded without using it is left out.

    Raises:
        ValueError: when layers or shapes do not fit.
    """
    ours = network.state_dict()
    theirs, names = sorted(_layers(state), key=_position), _layers(ours)
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
    _require_same_shapes(ours, mapped)
    return mapped


def _layers(state: Mapping[str, Tensor]) -> list[str]:
    return [key.removesuffix(".weight") for key in state if key.endswith(".weight")]


def _position(layer: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", layer)]


def _require_same_shapes(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> None:
    for key in {**ours, **theirs}:
        needed, found = (tuple(s[key].shape) if key in s else "nothing" for s in (ours, theirs))
        if needed != found:
            raise ValueError(
                f"{key}: the network has {needed}, the file has {found}. Compare base_channels, norm and channels."
            )
