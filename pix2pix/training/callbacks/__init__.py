"""Callbacks: progress bar, logging, sample sheets, checkpoints, monitors."""

from typing import TYPE_CHECKING

from pix2pix.core.lazy import lazy_getattr

if TYPE_CHECKING:
    from pix2pix.training.callbacks.checkpoint import Checkpoints
    from pix2pix.training.callbacks.collapse_monitor import CollapseMonitor
    from pix2pix.training.callbacks.metrics_logging import TrainingLog
    from pix2pix.training.callbacks.nan_guard import NaNGuard
    from pix2pix.training.callbacks.progress_bar import ProgressBar
    from pix2pix.training.callbacks.results_table import ResultsTable
    from pix2pix.training.callbacks.samples import Samples

__all__ = ["Checkpoints", "CollapseMonitor", "NaNGuard", "ProgressBar", "ResultsTable", "Samples", "TrainingLog"]

__getattr__ = lazy_getattr(
    __name__,
    {
        "Checkpoints": "checkpoint",
        "CollapseMonitor": "collapse_monitor",
        "ProgressBar": "progress_bar",
        "ResultsTable": "results_table",
        "Samples": "samples",
        "TrainingLog": "metrics_logging",
        "NaNGuard": "nan_guard",
    },
)
