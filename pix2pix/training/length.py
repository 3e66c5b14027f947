"""How long a training is, in steps and in epochs."""

import math
from typing import Any

import pytorch_lightning as pl

from pix2pix.models.schedules import Unit


def count_steps(trainer: pl.Trainer) -> int | None:
    """The number of steps in the whole training, by `max_epochs` or `max_steps`; None if neither limits it."""
    epochs, steps, batches = trainer.max_epochs or 0, trainer.max_steps, trainer.num_training_batches
    # Each limit counts only if it is set; the smaller one ends the training.
    ends = [int(batches * epochs)] * (epochs > 0 and math.isfinite(batches)) + [steps] * (steps > 0)
    return min(ends, default=None)


def find_end(trainer: pl.Trainer) -> dict[Unit, float]:
    """The end of the training in epochs and in steps, infinite where there is none.

    The epochs are `max_epochs` where that is set, even if `max_steps` ends the training before.
    """
    steps, batches = count_steps(trainer), trainer.num_training_batches
    if trainer.max_epochs is not None and trainer.max_epochs >= 0:
        epochs: Any = trainer.max_epochs
    else:
        epochs = math.inf if steps is None or not math.isfinite(batches) else math.ceil(steps / max(1, batches))
    return {"epoch": epochs, "step": math.inf if steps is None else steps}
