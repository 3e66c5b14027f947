"""A resumed training takes the settings of its own configuration, though the checkpoint brings others."""

import pytest
import torch

from pix2pix.training.optimizer_states import apply_changed_settings
from tests.conftest import make_config


def test_a_checkpoint_of_other_settings_goes_on_with_those_of_the_run():
    adam = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=1e-4, betas=(0.5, 0.999))
    state = adam.state_dict()
    there = {"generator": {"_target_": "torch.optim.Adam", "lr": 2e-4, "betas": [0.5, 0.999]}}  # half of it is left
    here = {"generator": {"_target_": "torch.optim.Adam", "lr": 1e-5, "betas": [0.9, 0.999]}}
    apply_changed_settings([state], there, here)
    assert state["param_groups"][0]["lr"] == pytest.approx(5e-6)
    assert state["param_groups"][0]["betas"] == (0.9, 0.999)


def test_a_checkpoint_without_a_configuration_is_left_as_it_is():
    state = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=1e-4).state_dict()
    apply_changed_settings([state], {}, make_config().trained_optimizers)
    assert state["param_groups"][0]["lr"] == 1e-4
