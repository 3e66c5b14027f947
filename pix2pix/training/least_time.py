"""The least time between two saves or sample sheets, so that short epochs do not keep a fast device waiting."""

import pytorch_lightning as pl

GPU_SECONDS = 30.0


def find_least_seconds(trainer: pl.Trainer, setting: float | None) -> float:
    """The seconds of a setting; by default 30 on a CUDA GPU, where an epoch may take one, and 0 elsewhere."""
    if setting is not None:
        return setting
    return GPU_SECONDS if trainer.strategy.root_device.type == "cuda" else 0.0
