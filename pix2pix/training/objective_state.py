"""Keeps the networks of an objective, such as a perceptual loss, out of checkpoints.

They are not trained, and are built again with each start. What the objective, its adversarial loss or a term keeps
itself, in a buffer such as a running mean, changes during the training and is saved.
"""

from typing import Any

from torch import nn

from pix2pix.models.eval_mode import KeepsNetworksInEvalMode


def keep_networks_of_objective_out_of_checkpoints(module: nn.Module) -> None:
    """Removes them from the module's state dict, and lets a checkpoint load with `objective.` or without."""
    module.register_state_dict_post_hook(_exclude_networks)
    module.register_load_state_dict_post_hook(_accept_missing_objective)


def _exclude_networks(module: Any, state: dict[str, Any], prefix: str, _: Any) -> None:
    objective = f"{prefix}objective"
    parts = module.objective.named_modules(prefix=objective)
    with_state = {name for name, part in parts if isinstance(part, KeepsNetworksInEvalMode)}
    for name in [name for name in state if name.startswith(f"{objective}.")]:
        if name.rpartition(".")[0] not in with_state:
            del state[name]


def _accept_missing_objective(_: nn.Module, keys: Any) -> None:
    for names in (keys.missing_keys, keys.unexpected_keys):
        names[:] = [name for name in names if not name.startswith("objective.")]
