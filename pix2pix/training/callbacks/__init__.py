"""Callbacks: progress bar, logging, sample sheets, checkpoints, monitors."""

from typing import TYPE_CHECKING

from pix2pix.core.lazy import attributes_of

if TYPE_CHECKING:
    from pix2pix.training.callbacks.checkpoint import Checkpoints
    from pix2pix.training.callbacks.collapse_monitor import Diagnosis
    from pix2pix.training.callbacks.metrics_logging import TrainingLog
    from pix2pix.training.callbacks.nan_guard import Watch
    from pix2pix.training.callbacks.progress_bar import Progress
    from pix2pix.training.callbacks.results_table import Results
    from pix2pix.training.callbacks.samples import Samples

__all__ = ["Checkpoints", "Diagnosis", "Progress", "Results", "Samples", "TrainingLog", "Watch"]

__getattr__ = attributes_of(
    __name__,
    {
        "Checkpoints": "checkpoint",
        "Diagnosis": "collapse_monitor",
        "Progress": "progress_bar",
        "Results": "results_table",
        "Samples": "samples",
        "TrainingLog": "metrics_logging",
        "Watch": "nan_guard",
    },
)
