"""Sends losses, learning rates and speed to the loggers, against the one count of training steps."""

import time
from typing import Any

import pytorch_lightning as pl


class TrainingLog(pl.Callback):
    """Every `trainer.log_every_n_steps` steps, logs the mean of each loss since the last time.

    Logged: `loss/d_real`, `loss/g_l1` before their weights, `lr/generator`, `lr/discriminator`, `images_per_second`,
    and the validation metrics whenever there was a validation. Loggers get the count of training steps that
    checkpoints and the progress bar show, not Lightning's own, which runs one behind for validation.
    """

    def __init__(self) -> None:
        self._begin_interval()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts the clock."""
        self.images, self.started = 0, time.monotonic()

    def _begin_interval(self) -> None:
        self.sums: dict[str, Any] = {}
        self.steps, self.images, self.started = 0, 0, time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        """The interval so far: a run that is resumed within one logs the same means as an unbroken one."""
        return {"sums": self.sums, "steps": self.steps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes up the interval."""
        self.sums, self.steps = state_dict["sums"], state_dict["steps"]

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Adds up on the device; numbers are fetched only when they are logged."""
        for name, loss in outputs.items():
            self.sums[name] = self.sums.get(name, 0) + loss
        self.steps, self.images = self.steps + 1, self.images + len(batch.name) * trainer.world_size
        if trainer.global_step % trainer.log_every_n_steps == 0:  # pyright: ignore[reportAttributeAccessIssue]
            _send(trainer, self._values(trainer))
            self._begin_interval()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Sends the validation metrics, at the step that was validated."""
        _send(trainer, {name: float(v) for name, v in trainer.callback_metrics.items() if name.startswith("val/")})

    def _values(self, trainer: pl.Trainer) -> dict[str, float]:
        losses = {f"loss/{name}": float(total) / self.steps for name, total in self.sums.items()}
        players = zip(("generator", "discriminator"), trainer.optimizers, strict=False)
        rates = {f"lr/{player}": optimizer.param_groups[0]["lr"] for player, optimizer in players}
        return losses | rates | {"images_per_second": self.images / (time.monotonic() - self.started)}


def _send(trainer: pl.Trainer, values: dict[str, float]) -> None:
    for logger in trainer.loggers:
        logger.log_metrics({"epoch": trainer.current_epoch + 1} | values, step=trainer.global_step)
