"""Reads the best values of a training that has ended, and checks that it has saved a checkpoint."""

import pytorch_lightning as pl

from pix2pix.runs.run import Run
from pix2pix.training.callbacks.checkpoint import Checkpoints


def read_best_values(trainer: pl.Trainer) -> dict[str, float]:
    """The best value of each metric that chooses checkpoints, by its name."""
    return {keeper.monitor: keeper.best for keeper in _checkpoint_callbacks(trainer) if keeper.best is not None}


def _checkpoint_callbacks(trainer: pl.Trainer) -> list[Checkpoints]:
    return [callback for callback in trainer.checkpoint_callbacks if isinstance(callback, Checkpoints)]


def require_saved(trainer: pl.Trainer, run: Run) -> None:
    """Raises ValueError if nothing was saved because there was nothing to train."""
    if _checkpoint_callbacks(trainer) and not run.resume_checkpoints():
        limits = ("max_epochs", "max_steps", "limit_train_batches")
        raise ValueError(
            f"{run.path}: no step was trained, so no checkpoint was saved. See "
            + ", ".join(f"trainer.{name}={getattr(trainer, name)}" for name in limits)
            + ", and with resume=PATH how far that checkpoint is. The run stays unfinished."
        )
