"""Learning rates: those that are configured count, or those that a callback sets, and never a negative one."""

import pytest
import pytorch_lightning as pl

from pix2pix.models.learning_rates import linear_decay
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


@pytest.mark.parametrize("epochs", [-1, 0, 1, 3, 5, 400])
@pytest.mark.parametrize("decay", [0, 1, 3, 10])
def test_the_factor_is_never_below_0_nor_above_1(epochs, decay):
    factors = [linear_decay(epoch, epochs, decay) for epoch in range(20)]
    assert all(0 <= factor <= 1 for factor in factors)
    assert decay or factors == [1.0] * 20


@pytest.mark.parametrize("epochs", [-1, None])
def test_a_decay_over_the_last_epochs_is_refused_where_there_is_no_last_one(epochs):
    with pytest.raises(ValueError, match=r"decay_epochs=2: the rate falls over the last epochs, but.*max_epochs=-1"):
        fit(module(decay_epochs=2), max_epochs=epochs, max_steps=10)


def test_the_rate_falls_in_a_line_over_the_last_epochs():
    seen = Seen()
    fit(module(decay_epochs=3), seen, pairs=1, max_epochs=5)
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
    with pytest.raises(ValueError, match=r"a callback has set the learning rates.*optimizer\.decay_epochs=2"):
        fit(module(decay_epochs=2), callback(), pairs=2, max_epochs=3)


def test_a_callbacks_own_rates_survive_a_resume(tmp_path):
    trained = fit(module(), AfterAnEpoch(), pairs=2, max_epochs=2)
    trained.save_checkpoint(tmp_path / "last.ckpt")
    seen = Seen()
    fit(module(), AfterAnEpoch(), seen, pairs=2, max_epochs=3, resume=tmp_path / "last.ckpt")
    assert seen.rates == pytest.approx([RATE / 4, RATE / 4])


def test_a_decay_goes_on_where_it_was(tmp_path):
    fit(module(decay_epochs=3), pairs=2, max_epochs=5, max_steps=6).save_checkpoint(tmp_path / "last.ckpt")
    seen = Seen()
    fit(module(decay_epochs=3), seen, pairs=2, max_epochs=5, resume=tmp_path / "last.ckpt")
    assert seen.rates == pytest.approx([0.5 * RATE, 0.5 * RATE, 0.25 * RATE, 0.25 * RATE])
