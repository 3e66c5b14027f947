"""Checkpoints: state only, loadable with weights_only=True, each file whole or absent."""

import math
import os
import shutil
from pathlib import Path
from typing import Annotated, Any

import pytorch_lightning as pl
import torch
from pydantic import Field
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO

from pix2pix.evaluation.metrics import higher_is_better


class Checkpoints(Checkpoint):
    """Saves `last.ckpt` after every epoch, and keeps as `best.ckpt` the one with the best validation metric.

    Args:
        monitor: the metric that decides, e.g. `val/l1`; which way is better is known of each metric.
        every_n_epochs: keep `epoch=N.ckpt` every so many epochs; None keeps none.
    """

    def __init__(
        self,
        *,
        monitor: str = "val/ssim",
        every_n_epochs: Annotated[int, Field(ge=1)] | None = None,
    ) -> None:
        self.monitor, self.every_n_epochs = monitor, every_n_epochs
        self.best: float | None = None

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Saves once; the other names are links to the same file."""
        folder = Path(trainer.default_root_dir) / "checkpoints"
        epoch, better = trainer.current_epoch + 1, self._is_better(trainer)
        trainer.save_checkpoint(folder / "last.ckpt")
        if not trainer.is_global_zero:
            return
        if better:
            link(folder / "last.ckpt", folder / "best.ckpt")
        if self.every_n_epochs and epoch % self.every_n_epochs == 0:
            link(folder / "last.ckpt", folder / f"epoch={epoch}.ckpt")

    def _is_better(self, trainer: pl.Trainer) -> bool:
        """Whether this epoch was validated, with the best value so far; the first one is."""
        if self.monitor not in trainer.callback_metrics:
            if not trainer.callback_metrics:
                return False
            raise ValueError(
                f"callbacks.checkpoint.monitor={self.monitor}: no such metric is logged. "
                f"Choose from {', '.join(sorted(trainer.callback_metrics))}."
            )
        value = float(trainer.callback_metrics[self.monitor])
        sign = -1 if higher_is_better(self.monitor.removeprefix("val/")) else 1
        if math.isnan(value) or (self.best is not None and sign * value >= sign * self.best):
            return False
        self.best = value
        return True

    def state_dict(self) -> dict[str, Any]:
        """The best value so far."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes up the best value so far."""
        self.best = state_dict["best"]


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place, syncs it and renames it: a kill leaves the previous one intact."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Raises OSError, with the previous file untouched, when the disk takes no more."""
        path = Path(path)
        part = path.with_name(f".{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except (OSError, RuntimeError) as error:  # torch's writer reports a full disk as a RuntimeError
            raise OSError(
                f"{path}: the checkpoint could not be saved ({error}). "
                "Make room and give the same command again: training goes on from the last one saved."
            ) from error
        finally:
            part.unlink(missing_ok=True)


def link(file: Path, name: Path) -> None:
    """Gives a file a second name, replacing what had it; copies where the file system has no links."""
    part = name.with_name(f".{name.name}.part")
    part.unlink(missing_ok=True)
    try:
        os.link(file, part)
    except OSError:
        shutil.copyfile(file, part)
    part.replace(name)
