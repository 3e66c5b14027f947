"""Numbers of callbacks: each at its own step, once, in the row of that step, however it is logged."""

from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers.logger import DummyLogger

from pix2pix.training.build import sort_callbacks
from pix2pix.training.callbacks.metrics_logging import TrainingLog
from tests.small import fit, module

Rows = list[tuple[int, dict[str, float]]]


class Kept(DummyLogger):
    """A logger that keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: Rows = []

    def log_metrics(self, metrics, step):
        self.rows.append((step, metrics))


class Own(pl.Callback):
    """Logs numbers from every place from which Lightning allows it; each is the step at which it is logged."""

    def log_step(self, name: str, trainer: pl.Trainer, **options: Any) -> None:
        self.log(name, float(trainer.global_step), **options)

    def on_train_epoch_start(self, trainer, pl_module):
        self.log_step("epoch_start", trainer)

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.log("batch_start", float(trainer.global_step + 1))  # the step that is about to be taken

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.log("optimizer", float(trainer.global_step + 1))

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.log_step("every", trainer)
        self.log_step("both", trainer, on_step=True, on_epoch=True)
        self.log_step("mean", trainer, on_step=False, on_epoch=True)
        self.log_step("bar", trainer, prog_bar=True)
        pl_module.log_dict({"one": float(trainer.global_step), "both_step_of_mine": float(trainer.global_step)})
        self.log_step("hidden", trainer, logger=False)
        if trainer.global_step in {3, 7}:
            self.log_step("rare", trainer)

    def on_train_epoch_end(self, trainer, pl_module):
        self.log_step("epoch_end", trainer)

    def on_validation_batch_end(self, trainer, pl_module, *_):
        self.log_step("val/of_batches", trainer)
        pl_module.log_dict({"score": float(trainer.global_step)})

    def on_validation_epoch_end(self, trainer, pl_module):
        self.log_step("val/of_the_end", trainer)


def train(*callbacks: pl.Callback, **options: Any) -> Rows:
    kept = Kept()
    options = {"max_epochs": 2, "log_every_n_steps": 2, "logger": [kept]} | options
    fit(module(), *sort_callbacks([TrainingLog(), *callbacks]), pairs=5, **options)
    return kept.rows


def steps_of(rows: Rows, name: str) -> list[tuple[int, float]]:
    return [(step, values[name]) for step, values in rows if name in values]


@pytest.mark.parametrize("name", ["every", "both_step", "bar", "one", "batch_start", "optimizer", "both_step_of_mine"])
def test_a_number_of_each_step_stands_in_the_row_of_every_so_many_steps(name):
    rows = train(Own())
    assert [step for step, _ in rows] == sorted(step for step, _ in rows)
    logged = steps_of(rows, name)
    assert logged == [(2, 2), (4, 4), (5, 5), (6, 6), (8, 8), (10, 10)]  # the last of an epoch, too
    losses = [step for step, values in rows if "loss/g_l1" in values]
    assert losses == [2, 4, 6, 8, 10]
    assert all(name in values for _, values in rows if "loss/g_l1" in values)


def test_a_number_that_is_logged_in_between_stands_at_its_own_step():
    rows = train(Own())
    assert steps_of(rows, "rare") == [(3, 3), (7, 7)]


def test_means_stand_at_the_end_of_their_epoch():
    rows = train(Own())
    for name in ("mean", "both_epoch"):
        assert steps_of(rows, name) == [(5, 3), (10, 8)]
    assert steps_of(rows, "epoch_start") == [(5, 0), (10, 5)]
    assert steps_of(rows, "epoch_end") == [(5, 5), (10, 10)]
    assert [values["epoch"] for step, values in rows if step == 5] == [1, 1, 1]
    assert all("both" not in values and "hidden" not in values for _, values in rows)


@pytest.mark.parametrize("name", ["val/of_batches", "val/of_the_end", "score", "val/l1"])
def test_numbers_of_a_validation_stand_in_one_row_at_the_step_that_was_validated(name):
    rows = train(Own())
    assert [step for step, _ in steps_of(rows, name)] == [5, 10]
    assert all("val/ssim" in values for _, values in rows if name in values)
    within = train(Own(), val_check_interval=3)
    assert [step for step, _ in steps_of(within, name)] == [3, 8]


def test_a_validation_before_the_training_is_no_row():
    assert min(step for step, _ in train(Own(), num_sanity_val_steps=2)) == 2


def test_what_waits_for_a_row_is_sent_at_its_own_step_after_a_resume():
    before, after = TrainingLog(), TrainingLog()
    before.waiting = {"rare": (3, 3.0)}
    after.load_state_dict(before.state_dict())
    assert after.waiting == {"rare": (3, 3.0)}
    after.load_state_dict({"sums": {}, "steps": 0, "overflows": 0})  # as checkpoints of before have it
    assert after.waiting == {}


def test_without_a_training_log_lightning_logs_as_it_does():
    kept = Kept()
    fit(module(), Own(), pairs=5, max_epochs=1, log_every_n_steps=2, logger=[kept])
    assert [step for step, values in kept.rows if "every" in values]
    assert [step for step, values in kept.rows if "val/l1" in values]


def test_a_training_of_fewer_steps_than_a_row_has_its_losses_once_at_its_last_step():
    torch.manual_seed(0)
    rows = train(log_every_n_steps=50)
    torch.manual_seed(0)
    every = [loss for _, loss in steps_of(train(log_every_n_steps=1), "loss/g_l1")]
    assert steps_of(rows, "loss/g_l1") == [(10, pytest.approx(sum(every) / 10))]
    (row,) = (values for _, values in rows if "loss/g_l1" in values)
    assert {"lr/generator", "images_per_second"} <= row.keys()


@pytest.mark.parametrize("ends", [{"max_steps": 3}, {"max_epochs": 2, "limit_train_batches": 1}], ids=str)
def test_a_short_training_has_its_losses_however_it_ends(ends):
    last = ends.get("max_steps", 2)
    rows = train(log_every_n_steps=50, **ends)
    assert [step for step, _ in steps_of(rows, "loss/g_l1")] == [last]


def test_a_training_whose_losses_have_a_row_adds_none_at_its_end():
    rows = train(log_every_n_steps=4)
    assert [step for step, _ in steps_of(rows, "loss/g_l1")] == [4, 8]
