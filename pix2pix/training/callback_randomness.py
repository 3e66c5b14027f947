"""Seeds what callbacks draw from the global generators, so that a resumed run draws what an unbroken one draws."""

from typing import Any

import pytorch_lightning as pl

from pix2pix.core.randomness import seed_callbacks


class SeedCallbacks(pl.Callback):
    """Runs before all other callbacks, and seeds what they draw in each hook from (seed, hook, step, rank).

    The training step is seeded by itself, so what callbacks draw changes nothing in it.

    Args:
        seed: the seed of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Seeds the start of an epoch."""
        self._seed("epoch", trainer)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seeds the time before a step."""
        self._seed("before", trainer)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Seeds the time after a step."""
        self._seed("after", trainer)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Seeds a validation."""
        self._seed("validation", trainer)

    def _seed(self, hook: str, trainer: pl.Trainer) -> None:
        seed_callbacks(self.seed, hook, trainer.global_step, trainer.global_rank)
