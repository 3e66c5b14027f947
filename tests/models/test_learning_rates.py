"""Learning rates: those that are configured count, or those that a callback sets, and never a negative one."""

import pytest
import pytorch_lightning as pl

from pix2pix.models import ConstantRate, CosineDecay, LinearDecay, PlateauDecay
from pix2pix.models.schedules import Schedule
from pix2pix.training.module import Pix2Pix
from tests.small import RATE, fit, module


class Seen(pl.Callback):
    """Keeps the rate of each step, as the optimizer sees it."""

    def __init__(self) -> None:
        self.rates: list[float] = []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.rates.append(optimizer.param_groups[0]["lr"])


def set_rate(trainer: pl.Trainer, rate: float) -> None:
    for optimizer in trainer.optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate


def schedule_rates(schedule: Schedule) -> Pix2Pix:
    return module(schedules={"generator": schedule})


def linear(decay: int) -> Pix2Pix:
    return schedule_rates(LinearDecay(decay=decay))


class OfEpochs(pl.Callback):
    def on_train_epoch_start(self, trainer, pl_module):
        set_rate(trainer, 1e-6 * (trainer.current_epoch + 1))


class AtTheStart(pl.Callback):
    def on_train_start(self, trainer, pl_module):
        set_rate(trainer, 1e-6)


class OfSteps(pl.Callback):
    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        set_rate(trainer, 1e-6 * (trainer.global_step + 1))


class AfterAnEpoch(pl.Callback):
    """As a rate that is halved when a metric gets no better."""

    def on_validation_end(self, trainer, pl_module):
        set_rate(trainer, trainer.optimizers[0].param_groups[0]["lr"] / 2)


@pytest.mark.parametrize("epochs", [-1, None])
def test_a_training_of_so_many_steps_has_the_configured_rate(epochs):
    seen = Seen()
    fit(module(), seen, max_epochs=epochs, max_steps=10)
    assert seen.rates == [RATE] * 10


def test_a_schedule_that_follows_the_length_of_the_training_is_refused_where_that_has_no_end():
    with pytest.raises(ValueError, match="schedule=LinearDecay: it follows the length of the training"):
        fit(linear(2), max_epochs=-1)


def test_a_decay_that_is_longer_than_the_training_is_refused():
    with pytest.raises(ValueError, match=r"schedule\.decay=9 is more than the training has, 8 steps"):
        fit(schedule_rates(LinearDecay(decay=9, unit="step")), pairs=4, max_epochs=2)


def test_the_rate_falls_in_a_line_over_the_last_epochs():
    seen = Seen()
    fit(linear(3), seen, pairs=1, max_epochs=5)
    assert seen.rates == pytest.approx([RATE, RATE, 0.75 * RATE, 0.5 * RATE, 0.25 * RATE])


@pytest.mark.parametrize(
    ("callback", "rates"),
    [
        (OfEpochs, [1e-6, 1e-6, 2e-6, 2e-6, 3e-6, 3e-6]),
        (AtTheStart, [1e-6] * 6),
        (OfSteps, [1e-6, 2e-6, 3e-6, 4e-6, 5e-6, 6e-6]),
        (AfterAnEpoch, [RATE, RATE, RATE / 2, RATE / 2, RATE / 4, RATE / 4]),
    ],
)
def test_a_callbacks_own_rates_count(callback, rates):
    seen = Seen()
    fit(module(), callback(), seen, pairs=2, max_epochs=3)
    assert seen.rates == pytest.approx(rates)


@pytest.mark.parametrize("callback", [OfEpochs, AtTheStart, OfSteps, AfterAnEpoch])
def test_rates_that_the_decay_would_undo_are_refused(callback):
    with pytest.raises(ValueError, match=r"a callback has set the learning rates.*Set schedule=constant"):
        fit(linear(2), callback(), pairs=2, max_epochs=3)


def test_a_callbacks_own_rates_survive_a_resume(tmp_path):
    trained = fit(module(), AfterAnEpoch(), pairs=2, max_epochs=2)
    trained.save_checkpoint(tmp_path / "last.ckpt")
    seen = Seen()
    fit(module(), AfterAnEpoch(), seen, pairs=2, max_epochs=3, resume=tmp_path / "last.ckpt")
    assert seen.rates == pytest.approx([RATE / 4, RATE / 4])


def test_a_decay_goes_on_where_it_was(tmp_path):
    fit(linear(3), pairs=2, max_epochs=5, max_steps=6).save_checkpoint(tmp_path / "last.ckpt")
    seen = Seen()
    fit(linear(3), seen, pairs=2, max_epochs=5, resume=tmp_path / "last.ckpt")
    assert seen.rates == pytest.approx([0.5 * RATE, 0.5 * RATE, 0.25 * RATE, 0.25 * RATE])


@pytest.mark.parametrize(
    ("ends", "factors"),
    [
        ({"max_epochs": 2}, [1 / 3, 2 / 3, 1, 1 / 2]),
        ({"max_epochs": -1, "max_steps": 6}, [1 / 3, 2 / 3, 1, 0.8535534, 0.5, 0.1464466]),
    ],
)
def test_a_schedule_of_steps_lasts_as_long_as_the_training(ends, factors):
    """A warm-up of two steps, then half a cosine over those that are left."""
    seen = Seen()
    fit(schedule_rates(CosineDecay(warmup=2)), seen, pairs=2, **ends)
    assert seen.rates == pytest.approx([RATE * factor for factor in factors])


def test_a_schedule_of_epochs_knows_how_many_epochs_so_many_steps_are():
    seen = Seen()
    fit(schedule_rates(LinearDecay(decay=2)), seen, pairs=2, max_epochs=-1, max_steps=5)
    assert seen.rates == pytest.approx([RATE, RATE, RATE * 2 / 3, RATE * 2 / 3, RATE / 3])


def test_a_constant_rate_with_a_warmup_belongs_to_the_schedule():
    with pytest.raises(ValueError, match=r"the schedule \(ConstantRate\) sets them"):
        fit(schedule_rates(ConstantRate(warmup=2)), OfSteps(), pairs=2, max_epochs=1)


class Score(pl.Callback):
    """Logs `val/score`, which improves once and never again."""

    def on_validation_epoch_end(self, trainer, pl_module):
        pl_module.log("val/score", float(min(trainer.current_epoch, 1)))


def plateau() -> Pix2Pix:
    return schedule_rates(PlateauDecay(monitor="val/score", mode="max", patience=1, gamma=0.5))


FALLS = [1, 1, 1, 1, 0.5, 0.5, 0.25]
"""The validations of epochs 3 and 4 bring nothing better: after two of them the rate falls, and so on."""


def test_a_plateau_lowers_the_rate():
    seen = Seen()
    fit(plateau(), Score(), seen, pairs=1, max_epochs=7)
    assert seen.rates == pytest.approx([RATE * factor for factor in FALLS])


@pytest.mark.parametrize("epochs", [1, 2, 3, 4, 5, 6])
def test_a_plateau_goes_on_where_it_was(tmp_path, epochs):
    fit(plateau(), Score(), pairs=1, max_epochs=epochs).save_checkpoint(tmp_path / "last.ckpt")
    seen = Seen()
    fit(plateau(), Score(), seen, pairs=1, max_epochs=7, resume=tmp_path / "last.ckpt")
    assert seen.rates == pytest.approx([RATE * factor for factor in FALLS[epochs:]])


def test_a_plateau_of_a_metric_that_nobody_logs_is_an_error_that_names_those_there_are():
    with pytest.raises(ValueError, match=r"schedule\.monitor=val/mine: no such metric is logged. Choose from .*val/l1"):
        fit(schedule_rates(PlateauDecay(monitor="val/mine", mode="min")), pairs=1, max_epochs=1)
