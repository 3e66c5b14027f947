"""Loggers: metrics.csv, TensorBoard, Trackio, Weights & Biases."""

from typing import TYPE_CHECKING

from pix2pix.core.lazy import lazy_getattr

if TYPE_CHECKING:
    from pix2pix.training.loggers.base import RunLogger
    from pix2pix.training.loggers.csv import MetricsCsv
    from pix2pix.training.loggers.tensorboard import TensorBoard
    from pix2pix.training.loggers.trackio import Trackio
    from pix2pix.training.loggers.wandb import WeightsAndBiases

__all__ = ["MetricsCsv", "RunLogger", "TensorBoard", "Trackio", "WeightsAndBiases"]

__getattr__ = lazy_getattr(
    __name__,
    {
        "MetricsCsv": "csv",
        "RunLogger": "base",
        "TensorBoard": "tensorboard",
        "Trackio": "trackio",
        "WeightsAndBiases": "wandb",
    },
)
