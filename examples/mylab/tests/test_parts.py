"""Every part alone, then all of them in a training of one step."""

from pathlib import Path

import pix2pix
import torch

from mylab.data import Discs
from mylab.losses import Colours
from mylab.metrics import EdgeError
from mylab.networks import ContextNet, Critic
from mylab.schedules import InverseSquareRoot

CONFIGS = Path(__file__).parents[1] / "configs"


def test_the_generator_keeps_the_size():
    assert ContextNet(3, 1)(torch.rand(2, 3, 20, 12)).shape == (2, 1, 20, 12)


def test_the_critic_has_a_logit_for_each_square_of_8_pixels():
    assert Critic(6)(torch.rand(2, 6, 64, 32)).shape == (2, 1, 8, 4)


def test_the_loss_compares_mean_colours():
    black, white = -torch.ones(1, 3, 4, 4), torch.ones(1, 3, 4, 4)
    assert Colours()(black, white) == 2
    assert Colours()(white, white) == 0


def test_the_metric_is_zero_for_equal_edges():
    picture = torch.rand(2, 3, 8, 8)
    assert EdgeError()(picture, picture).tolist() == [0, 0]


def test_the_schedule_falls_with_the_square_root():
    assert InverseSquareRoot(scale=10)(30, end=100) == 0.5


def test_the_discs_are_the_same_each_time_and_other_ones_in_each_split():
    first, again = Discs(size=16, pairs=1), Discs(size=16, pairs=1)
    assert torch.equal(first.split("train")[0].target, again.split("train")[0].target)
    assert not torch.equal(first.split("train")[0].target, first.split("val")[0].target)


def test_the_experiment_trains(tmp_path):
    words = ["experiment=discs", f"output_dir={tmp_path}", "trainer=cpu", "data.source.pairs=1", "trainer.max_epochs=1"]
    run = pix2pix.train(words, config_dir=CONFIGS)
    assert run.is_finished()
    assert "train/weight_norm" in (run.path / "metrics.csv").read_text()
