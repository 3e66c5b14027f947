"""Writes sample sheets (source, output, target) of the same pairs every N epochs or steps, and of inputs alone."""

import logging
import math
import time
from pathlib import Path
from typing import Annotated, Any

import pytorch_lightning as pl
from pydantic import Field
from torch import Tensor
from torch.utils.data import Dataset

from pix2pix.core.sequences import evenly_spaced
from pix2pix.data.datamodule import PairDataModule
from pix2pix.data.images.palettes import to_displayable
from pix2pix.data.pair import Pair
from pix2pix.data.sources.image_spec import RGB_SPEC
from pix2pix.runs.sample_sheets import Kind, sheet_name, write_sheet
from pix2pix.training.least_time import find_least_seconds
from pix2pix.training.loggers.base import SupportsSampleSheets
from pix2pix.training.module import Pix2Pix
from pix2pix.training.stopping import is_epoch_over, is_last_batch, is_last_epoch, is_validation_due

log = logging.getLogger(__name__)

Count = Annotated[int, Field(ge=1)]
Rows = list[tuple[Tensor, ...]]


class Samples(pl.Callback):
    """Writes `samples/val_epoch0010.png` and `samples/train_epoch0010.png`, and sends them to the loggers.

    Within an epoch, here the tenth, they are `val_epoch0010-step0003500.png` and `train_epoch0010-step0003500.png`.
    Where the data have inputs without targets, `inputs_epoch0010.png` shows some of these with their outputs.

    Args:
        pairs: how many pairs of each set, evenly spaced over it and the same every time.
        every_n_epochs: how often; the first and the last epoch always have samples. None: after every validation, and
            at the end of the training.
        every_n_steps: also every N training steps; None for none within an epoch.
        min_seconds: least time between two samples of epochs or validations, except for the last ones. None: 30 on a
            CUDA GPU, where an epoch may take one second, and 0 elsewhere.
    """

    def __init__(
        self,
        *,
        pairs: Count = 4,
        every_n_epochs: Count | None = 1,
        every_n_steps: Count | None = None,
        min_seconds: Annotated[float, Field(ge=0)] | None = None,
    ) -> None:
        self.pairs, self.every_n_epochs, self.every_n_steps = pairs, every_n_epochs, every_n_steps
        self.min_seconds, self.written_at = min_seconds, -math.inf

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Writes both sheets after every N steps; those of the last step of an epoch are named by the epoch."""
        if self._is_due_by_step(trainer) and not is_last_batch(trainer):
            self._write_sheets(trainer, pl_module, trainer.global_step)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Writes both sheets after a validation within an epoch, where these are what counts."""
        is_counted = self.every_n_epochs is None and not trainer.sanity_checking and not is_epoch_over(trainer)
        if is_counted and not self._is_early(trainer):
            self._write_sheets(trainer, pl_module, trainer.global_step)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Writes both sheets after every N epochs, or after an epoch whose last step was validated."""
        epoch, every = trainer.current_epoch + 1, self.every_n_epochs
        is_counted = is_validation_due(trainer) if every is None else epoch % every == 0 or epoch == 1
        if (is_counted and not self._is_early(trainer)) or is_last_epoch(trainer) or self._is_due_by_step(trainer):
            self._write_sheets(trainer, pl_module)

    def _is_early(self, trainer: pl.Trainer) -> bool:
        return time.monotonic() - self.written_at < find_least_seconds(trainer, self.min_seconds)

    def _is_due_by_step(self, trainer: pl.Trainer) -> bool:
        return self.every_n_steps is not None and trainer.global_step % self.every_n_steps == 0

    def _write_sheets(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, step_within_epoch: int | None = None
    ) -> None:
        """Writes and logs the sheets of all sets, on the first process only."""
        if not trainer.is_global_zero:
            return
        data = trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]
        assert isinstance(data, PairDataModule)
        assert isinstance(pl_module, Pix2Pix)
        names, rows = self._show_inputs(pl_module, data)
        sheets: dict[Kind, tuple[list[str], Rows]] = {
            "val": self._show_pairs(pl_module, data.validation),
            "train": self._show_pairs(pl_module, data.training_plain),
            **({"inputs": (names, rows)} if rows else {}),
        }
        for kind, content in sheets.items():
            self._write_sheet(trainer, kind, content, step_within_epoch)
        self.written_at = time.monotonic()

    def _write_sheet(
        self, trainer: pl.Trainer, kind: Kind, content: tuple[list[str], Rows], step_within_epoch: int | None
    ) -> None:
        folder = Path(trainer.default_root_dir) / "samples"
        try:
            path = folder / sheet_name(kind, trainer.current_epoch + 1, step_within_epoch)
            sheet = write_sheet(path, kind, trainer.global_step, *content)
            for logger in trainer.loggers:
                if isinstance(logger, SupportsSampleSheets):
                    logger.log_sheet(sheet)
        except OSError as error:  # a full disk must not stop the training
            log.warning("%s: no samples of step %d (%s).", folder, trainer.global_step, error)

    def _show_pairs(self, model: Pix2Pix, pairs: Dataset[Pair]) -> tuple[list[str], Rows]:
        """The names of the pairs, and the source, output and target of each as pictures (3, H, W) in [-1, 1]."""
        names, rows = [], []
        for index in evenly_spaced(len(pairs), self.pairs):  # pyright: ignore[reportArgumentType]
            source, target, name = pairs[index]
            shown = to_displayable(target, model.target_palette, source)
            rows.append((*self._show_output(model, source, name), shown))
            names.append(name)
        return names, rows

    def _show_inputs(self, model: Pix2Pix, data: PairDataModule) -> tuple[list[str], Rows]:
        """The same of inputs without targets. One that cannot be read is left out: no number depends on it."""
        names, rows = [], []
        for index in evenly_spaced(len(data.inputs), self.pairs) if len(data.inputs) else ():
            try:
                source, name = data.inputs[index]
            except (ValueError, OSError) as error:
                log.warning("%s It is not in the samples.", error)
                continue
            rows.append(self._show_output(model, source, name))
            names.append(name)
        return names, rows

    def _show_output(self, model: Pix2Pix, source: Tensor, name: str) -> tuple[Tensor, Tensor]:
        spec = model.config.data.source_image_spec if model.config else RGB_SPEC
        output = model.generate(source[None].to(model.device), name)  # pyright: ignore[reportCallIssue]
        return spec.show(source, model.source_palette), output[0]
