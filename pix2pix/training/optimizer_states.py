"""Brings the optimizers of a checkpoint to the settings of the run that is resumed."""

from collections.abc import Mapping, Sequence
from typing import Any

from pix2pix.config.schema import NETWORKS


def apply_changed_settings(
    states: Sequence[Mapping[str, Any]],
    saved: Mapping[str, Mapping[str, Any]],
    current: Mapping[str, Mapping[str, Any]],
) -> None:
    """Applies optimizer settings that were changed since a checkpoint to the optimizer states in it.

    Loading the states would otherwise restore the old settings. A learning rate is multiplied by the ratio of new to
    old, because it may have decayed since.

    Args:
        states: the optimizers' states, changed in place.
        saved: the optimizer of each network in the checkpoint's configuration.
        current: that of this run.
    """
    for network, state in zip(NETWORKS, states, strict=False):
        old, new = saved.get(network, {}), current.get(network, {})
        # Only settings that both have and that differ: others are arguments of another optimizer class.
        for name in [name for name in new if name in old and new[name] != old[name]]:
            for group in state["param_groups"]:
                if name == "lr" and old[name]:
                    group[name] *= new[name] / old[name]
                elif name in group:
                    group[name] = tuple(new[name]) if isinstance(new[name], list) else new[name]


def read_rates(states: Sequence[Mapping[str, Any]]) -> list[float]:
    """The learning rates in optimizers' states."""
    return [float(group["lr"]) for state in states for group in state["param_groups"]]
