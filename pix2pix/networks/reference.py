"""Weights of the authors' PyTorch implementation, under our names."""

import re

from torch import Tensor, nn


def from_reference(state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """The reference's state dict as one that `network` loads.

    Both build the same layers in the same order; the numbers in the reference's keys, read as paths, are that order,
    for nested U-Nets too.

    Raises:
        ValueError: when layers or shapes do not fit.
    """
    theirs = sorted(
        {key.rpartition(".")[0] for key in state}, key=lambda path: [int(n) for n in re.findall(r"\d+", path)]
    )
    ours = [name for name, module in network.named_modules() if module.state_dict() and not list(module.children())]
    if len(theirs) != len(ours):
        raise ValueError(
            f"the file has {len(theirs)} layers with weights, the network {len(ours)}: not the same network."
        )
    names = dict(zip(theirs, ours, strict=True))
    mapped = {
        f"{names[path]}.{leaf}": value for (path, _, leaf), value in ((k.rpartition("."), v) for k, v in state.items())
    }
    for name, value in network.state_dict().items():
        if name not in mapped or mapped[name].shape != value.shape:
            found = tuple(mapped[name].shape) if name in mapped else "nothing"
            raise ValueError(
                f"{name}: the network needs {tuple(value.shape)}, the file has {found}. Check its settings."
            )
    return mapped
