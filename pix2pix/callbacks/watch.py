"""Stops a training whose losses are no longer numbers, before it replaces a good checkpoint by a spoilt one."""

import math
from typing import Any

import pytorch_lightning as pl


class Watch(pl.Callback):
    """Looks at every loss: after each step on the CPU, with every logged row on other devices, where looking waits."""

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Raises ValueError naming the losses, the step and the pairs of the batch."""
        every = 1 if pl_module.device.type == "cpu" else trainer.log_every_n_steps  # pyright: ignore
        losses = outputs["losses"]
        if trainer.global_step % every or all(map(math.isfinite, losses.values())):
            return
        spoilt = ", ".join(f"{name} is {float(loss)}" for name, loss in losses.items() if not loss.isfinite())
        raise ValueError(
            f"{spoilt} at step {trainer.global_step} (pairs {', '.join(batch.name)}): the training has diverged. "
            f"The checkpoints in {trainer.default_root_dir}/checkpoints are from before. Under another name, try a "
            "smaller optimizer.lr, optimizer.clip_norm=1, or with precision=16-mixed bf16-mixed instead."
        )
