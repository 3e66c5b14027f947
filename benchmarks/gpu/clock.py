"""Records the times of steps, validations and checkpoints of a training: `+callbacks.clock._target_=...`."""

import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch


class Clock(pl.Callback):
    """Appends a line `EVENT SECONDS` to `file` for each; of several processes only the first one does."""

    def __init__(self, *, file: str) -> None:
        self.lines: Any = None
        self.file = file

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if trainer.is_global_zero:
            self.lines = Path(self.file).open("a", buffering=1, encoding="utf-8")  # noqa: SIM115
        save = trainer.save_checkpoint

        def time_call(*those: Any, **named: Any) -> None:
            self._note("saving_begins")
            save(*those, **named)
            self._note("saving_ends")

        trainer.save_checkpoint = time_call

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._note("training_begins")

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._note("epoch_begins")

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        if trainer.is_last_batch and pl_module.device.type == "cuda":
            torch.cuda.synchronize()  # what is still to be done belongs to the steps, not to what follows them
        self._note("step")
        if trainer.is_last_batch:
            self._note("steps_end")

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._note("validation_begins")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._note("validation_ends")

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._note("training_ends")

    def _note(self, what: str) -> None:
        if self.lines is not None:
            self.lines.write(f"{what} {time.time():.6f}\n")
