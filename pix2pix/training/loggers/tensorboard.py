"""Logs curves, pictures and settings for TensorBoard."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from pytorch_lightning.utilities import rank_zero_only

from pix2pix.config.identity import flatten
from pix2pix.core.addresses import hide_secrets_in
from pix2pix.runs.sample_sheets import Sheet
from pix2pix.training.loggers.base import RunLogger

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from torch.utils.tensorboard.writer import SummaryWriter

COMPARED_SETTINGS = (
    *("seed", "precision", "ema_decay", "trainer.max_epochs", "data.name", "data.direction", "data.batch_size"),
    *("data.height", "data.width", "data.jitter", "data.mirror", "data.operation"),
    *("data.vertical_flip", "data.quarter_turns"),
)
COMPARED_GROUPS = ("generator.", "discriminator.", "objective.", "optimizer.")


class TensorBoard(RunLogger):
    """Writes event files to `tensorboard/` in the run, flushed after each row.

    A resumed run hides events from the step it resumes from on. Lightning's TensorBoardLogger is told
    this step when it is built, before the checkpoint is read.

    Args:
        directory: the run.
    """

    kind = "tensorboard"

    def __init__(self, directory: str) -> None:
        super().__init__(directory)
        self._writer: SummaryWriter | None = None
        self._end_summary: Any = None

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Adds a point to each curve."""
        writer = self._open(int(step or 0))
        for name, value in metrics.items():
            writer.add_scalar(name, value, step)
        writer.flush()

    @rank_zero_only
    def log_sheet(self, sheet: Sheet) -> None:
        """Adds one picture per row, named by its index in the sheet: the same pair in every run."""
        writer = self._open(sheet.step)
        for index, strip in enumerate(sheet.strips()):
            writer.add_image(f"samples_{sheet.kind}/{index}", np.asarray(strip), sheet.step, dataformats="HWC")
        writer.flush()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Closes the files, and marks a finished run in the table of settings."""
        if self._writer is None:
            return
        try:
            if status == "success":
                self._writer._get_file_writer().add_summary(self._end_summary)
            self._writer.close()
        except OSError as error:  # a full disk
            log.warning("%s/tensorboard is not complete: %s", self.run.path, error)
        self._writer = None

    def _open(self, step: int) -> "SummaryWriter":
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter
            from torch.utils.tensorboard.summary import hparams

            self._writer = SummaryWriter(str(self.run.path / "tensorboard"), purge_step=step)
            # The table of settings lists only metrics that are announced with it.
            metrics = dict.fromkeys(("val/l1", "val/psnr", "val/ssim", "val/correlation"), 0.0)
            settings = comparable_settings(hide_secrets_in(self.run.config().to_mapping()))
            about, begin, self._end_summary = hparams(settings, metrics)
            for summary in (about, begin):
                self._writer._get_file_writer().add_summary(summary)
        return self._writer


def comparable_settings(settings: Mapping[str, Any]) -> dict[str, str | float | bool]:
    """The settings for comparing runs, of data, networks, objective and optimizers, by dotted name."""
    chosen = {}
    for key, value in flatten(settings):
        if (key in COMPARED_SETTINGS or key.startswith(COMPARED_GROUPS)) and not key.endswith("_partial_"):
            text = value.rpartition(".")[2] if isinstance(value, str) else str(value)
            chosen[key.removesuffix("._target_")] = value if isinstance(value, int | float) else text
    return chosen
