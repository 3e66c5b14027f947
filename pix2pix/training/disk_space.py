"""Whether the disk has room for the checkpoints of a training."""

import logging
import shutil

import pytorch_lightning as pl

log = logging.getLogger(__name__)

COPIES = 3  # last, previous and best


def warn_if_disk_is_small(trainer: pl.Trainer, module: pl.LightningModule) -> None:
    """Warns at the start of a training."""
    weights = sum(tensor.nbytes for tensor in module.state_dict().values())
    needed = COPIES * 3 * weights  # the weights and Adam's two moments of each
    free = shutil.disk_usage(trainer.default_root_dir).free
    if free < needed:
        log.warning(
            "%s: %.1f GB are free, the checkpoints need about %.1f GB. Make room before the first epoch ends.",
            *(trainer.default_root_dir, free / 1e9, needed / 1e9),
        )
