"""Keeps the networks of an objective, such as a perceptual loss, out of checkpoints.

They are not trained, and are built again with each start.
"""

from typing import Any

from torch import nn


def keep_objective_out_of_checkpoints(module: nn.Module) -> None:
    """Removes `objective.` from the module's state dict, and lets a checkpoint load with it or without."""
    module.register_state_dict_post_hook(_exclude_objective)
    module.register_load_state_dict_post_hook(_accept_missing_objective)


def _exclude_objective(_: nn.Module, state: dict[str, Any], prefix: str, __: Any) -> None:
    for name in [name for name in state if name.startswith(f"{prefix}objective.")]:
        del state[name]


def _accept_missing_objective(_: nn.Module, keys: Any) -> None:
    for names in (keys.missing_keys, keys.unexpected_keys):
        names[:] = [name for name in names if not name.startswith("objective.")]
