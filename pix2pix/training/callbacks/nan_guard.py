"""Stops a training whose losses are NaN or infinite."""

from typing import Any

import pytorch_lightning as pl

from pix2pix.training.divergence import require_finite_losses
from pix2pix.training.gan_ddp_strategy import average_over_processes


class NaNGuard(pl.Callback):
    """Checks the losses after each step on the CPU; on other devices, where a check waits for the device, with every
    logged row and before each validation.

    Between two checks no NaN is saved either: `Checkpoints` and `Pix2Pix.on_save_checkpoint` check what they save.
    """

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Raises ValueError naming the losses, the step and the pairs of the batch."""
        every = 1 if pl_module.device.type == "cpu" else trainer.log_every_n_steps  # pyright: ignore
        if trainer.global_step % every == 0 or trainer.is_last_batch:
            where = f"at step {trainer.global_step} (pairs {', '.join(batch.name)})"
            require_finite_losses(average_over_processes(outputs["losses"]), where, trainer.default_root_dir)
