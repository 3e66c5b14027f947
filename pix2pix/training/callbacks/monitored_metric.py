"""Reads the metric that chooses the best checkpoint from a trainer."""

import math

import pytorch_lightning as pl

from pix2pix.config.metric_names import DIAGNOSES
from pix2pix.training.callbacks.collapse_monitor import MIN_PAIRS


def read_metric(trainer: pl.Trainer, name: str) -> float | None:
    """The value of a metric in the last validation; None before the first one and for NaN.

    Raises:
        ValueError: if other metrics are logged, but not this one.
    """
    metrics = trainer.callback_metrics
    if metrics and name not in metrics:
        raise ValueError(
            f"callbacks.checkpoint.monitor={name}: no such metric is logged. Choose from {', '.join(sorted(metrics))}."
        )
    value = float(metrics.get(name, math.nan))
    return None if math.isnan(value) else value


def require_enough_pairs(trainer: pl.Trainer, name: str) -> None:
    """Raises ValueError if a metric needs more validation pairs than there are."""
    loaders = trainer.val_dataloaders
    pairs = sum(trainer.num_val_batches) * (getattr(loaders, "batch_size", None) or 1)
    if name.removeprefix("val/") in DIAGNOSES and pairs < MIN_PAIRS:
        raise ValueError(
            f"callbacks.checkpoint.monitor={name}: it needs at least {MIN_PAIRS} validation pairs, and this run has "
            f"{pairs:.0f}. Choose another metric, such as val/ssim, or add pairs."
        )
