"""What a user's own parts keep and draw is the same in a run that resumes as in an unbroken one."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from pix2pix.models.objective import Objective
from pix2pix.models.terms import Term
from pix2pix.runs.run import Run
from pix2pix.training.build import build_trainer
from pix2pix.training.callback_randomness import SeedCallbacks
from pix2pix.training.module import Pix2Pix
from tests.conftest import TINY, make_config
from tests.small import fit, module


class RunningMean(Term):
    """The error, relative to its running mean."""

    mean: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))
        self.network = nn.BatchNorm2d(3)

    def forward(self, fake, target):
        error = (fake - target).abs().mean()
        self.mean.lerp_(error.detach(), 0.1)
        return error / (self.mean + 0.1)


class Learned(Term):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, fake, target):
        return ((fake - target) * self.scale).abs().mean()


class Draws(nn.Conv2d):
    def forward(self, input):
        return super().forward(input) * (1 + random.random() + float(np.random.rand()) + torch.rand(()))


class InputNoise(pl.Callback):
    """Draws before a step, at the start of an epoch and in validations."""

    def on_train_epoch_start(self, trainer, pl_module):
        self.shift = torch.randn(())

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        batch.source.add_(torch.randn_like(batch.source) + random.random() + self.shift)

    def on_validation_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        torch.randn(7)


def make_with_state() -> Pix2Pix:
    return module(objective=Objective(None, terms={"mine": RunningMean()}))


def make_with_draws() -> Pix2Pix:
    return module(Draws(3, 3, 1))


def train(make: Callable[[], Pix2Pix], folder: Path, *, epochs: tuple[int, ...]) -> list[torch.Tensor]:
    """The weights after each of these epochs in turn, each time resuming from the checkpoint of the time before."""
    resume, weights = None, []
    for end in epochs:
        torch.manual_seed(1)
        trained = make()
        torch.manual_seed(end)  # what drew before a session differs from session to session
        np.random.seed(end)
        random.seed(end)
        trainer = fit(trained, SeedCallbacks(0), InputNoise(), max_epochs=end, resume=resume)
        trainer.save_checkpoint(resume := folder / f"{end}.ckpt")
        weights.append(torch.nn.utils.parameters_to_vector(trained.generator.parameters()))
    return weights


@pytest.mark.parametrize("make", [make_with_state, make_with_draws])
def test_a_resumed_run_ends_with_the_weights_of_an_unbroken_one(make, tmp_path):
    unbroken, resumed = (train(make, tmp_path, epochs=epochs) for epochs in ((3,), (1, 2, 3)))
    assert torch.equal(unbroken[-1], resumed[-1])


def test_what_a_term_keeps_is_saved_and_its_networks_are_not():
    trained = make_with_state()
    assert [name for name in trained.state_dict() if name.startswith("objective")] == ["objective.terms.mine.mean"]


def test_a_checkpoint_without_the_state_of_a_term_loads():
    trained = make_with_state()
    weights = {name: value for name, value in trained.state_dict().items() if not name.startswith("objective")}
    trained.load_state_dict(weights)


def test_a_weight_of_a_term_that_nothing_would_train_is_refused():
    with pytest.raises(ValueError, match=r"objective\.terms\.mine: scale would not be trained"):
        Objective(None, terms={"mine": Learned()})


def test_callbacks_of_a_run_draw_after_they_were_seeded(tmp_path):
    config = make_config(*TINY, f"run_dir={tmp_path}", "trainer=cpu", "logger=csv")
    assert isinstance(build_trainer(config, Run(tmp_path)).callbacks[0], SeedCallbacks)  # pyright: ignore
