"""NaN and infinity are found wherever a checkpoint would keep them."""

import copy
from typing import Any

import pytest
import torch

from pix2pix.training.divergence import require_finite_state

STATE: dict[str, Any] = {
    "global_step": 3,
    "state_dict": {"generator.weight": torch.full((4,), 1e30), "norm.count": torch.tensor(3), "empty": torch.empty(0)},
    "optimizer_states": [{"state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.ones(4, dtype=torch.bfloat16)}}}],
    "callbacks": {"best": torch.tensor(float("inf"))},
}


def test_large_numbers_and_what_callbacks_keep_are_no_divergence(tmp_path):
    require_finite_state(STATE, tmp_path)
    require_finite_state({"global_step": 0, "state_dict": {}}, tmp_path)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(
    ("path", "name"),
    [
        (("state_dict", "generator.weight"), "generator.weight"),
        (("optimizer_states", 0, "state", 0, "exp_avg"), "optimizer_states.0.state.0.exp_avg"),
    ],
)
def test_what_is_not_finite_is_named(tmp_path, path, name, number):
    state = copy.deepcopy(STATE)
    tensor: Any = state
    for key in path:
        tensor = tensor[key]
    tensor[2] = number
    with pytest.raises(ValueError, match=f"^{name}: not finite at step 3, and not saved"):
        require_finite_state(state, tmp_path)
