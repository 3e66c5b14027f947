"""Lets several processes decide together, because they must save and stop at the same step."""

import pytorch_lightning as pl

AGREE_EVERY = 10  # steps between two agreements of several processes to save; one in every step would cost time


def is_wanted_anywhere(trainer: pl.Trainer, wanted: bool, *, now: bool = False) -> bool:
    """Whether any process wants to save. Several processes ask each other every `AGREE_EVERY` steps, or `now`."""
    if trainer.world_size == 1:
        return wanted
    if not now and trainer.global_step % AGREE_EVERY:
        return False
    return trainer.strategy.reduce_boolean_decision(wanted, all=False)
