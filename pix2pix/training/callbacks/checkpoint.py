"""Decides when to save checkpoints, and refuses weights that are not finite. `runs/checkpoints.py` writes them."""

import logging
import math
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import pytorch_lightning as pl
from pydantic import Field
from pytorch_lightning.callbacks import Checkpoint
from torch import Tensor

from pix2pix.config.metric_names import Mode, higher_is_better
from pix2pix.core.signals import StopSignals, TimeLimitReached, TrainingInterrupted
from pix2pix.runs.checkpoints import AtomicCheckpointIO, SaveOptions, link_names
from pix2pix.runs.plain_state import make_plain
from pix2pix.runs.run import Run
from pix2pix.training.agreement import is_wanted_anywhere
from pix2pix.training.callbacks.monitored_metric import read_metric, require_enough_pairs
from pix2pix.training.disk_space import warn_if_disk_is_small
from pix2pix.training.divergence import require_finite_losses
from pix2pix.training.gan_ddp_strategy import average_over_processes
from pix2pix.training.least_time import find_least_seconds
from pix2pix.training.stopping import (
    is_epoch_cut_short,
    is_epoch_over,
    is_last_batch,
    is_last_epoch,
    is_out_of_time,
    is_validation_due,
    mark_epoch_unfinished,
)

log = logging.getLogger(__name__)


class Checkpoints(Checkpoint):
    """Saves `last.ckpt` after epochs and validations, and at intervals; keeps the best one as `best.ckpt`.

    A checkpoint is saved between steps, and only if losses and weights are finite. On a GPU it is copied and written
    beside the next steps, one at a time. SIGTERM, Ctrl-C and the signals of clusters end the training after the current
    step and save it; so does an error between steps, such as that of an unreadable picture.

    Args:
        monitor: the metric that chooses the best checkpoint, e.g. `val/l1`, or one that a callback of yours logs.
        mode: whether the metric is better when larger (`max`) or smaller (`min`); None if it is a built-in metric.
        every_n_epochs: also keep `epoch=N.ckpt` every N epochs; None keeps none.
        every_n_steps: also save `last.ckpt` every N steps; None does not.
        every_n_minutes: also save `last.ckpt` every N minutes; None does not.
        min_seconds: least time between two saves after epochs and validations, except for those of the best epoch, of
            every Nth and at the end. None: 30 on a CUDA GPU, where an epoch may take one second, and 0 elsewhere.

    Raises:
        ValueError: for a metric that is not built in, without `mode`.
    """

    def __init__(
        self,
        *,
        monitor: str = "val/ssim",
        mode: Mode | None = None,
        every_n_epochs: Annotated[int, Field(ge=1)] | None = None,
        every_n_steps: Annotated[int, Field(ge=1)] | None = None,
        every_n_minutes: Annotated[float, Field(gt=0)] | None = 10.0,
        min_seconds: Annotated[float, Field(ge=0)] | None = None,
    ) -> None:
        self.monitor, self.every_n_epochs, self.min_seconds = monitor, every_n_epochs, min_seconds
        self.higher_is_better = higher_is_better(monitor, mode)
        self.every_n_steps, self.every_n_minutes = every_n_steps, every_n_minutes
        self.best: float | None = None
        self.saved_best: float | None = None  # that of `best.ckpt`; `best` may still be being written
        self.names: list[str] = []  # other names of the checkpoint being saved or loaded
        self.losses: dict[str, Tensor] = {}  # of the last step
        self.error: OSError | None = None  # of the last save
        self.is_epoch_cut = False  # whether the checkpoint being saved ends an epoch that was cut short
        self.signals = StopSignals()

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Makes links that a kill prevented, even if nothing is left to train or the time limit has passed."""
        names, self.names = self.names, []  # they belong to the resumed checkpoint, not to the next one
        # A kill between a save and its links leaves `last.ckpt`, whose state lists the other names that it should have.
        resumed = Path(trainer.ckpt_path or "")
        if resumed.parent != Run(trainer.default_root_dir).checkpoints:
            self.best = None  # the best value of another run does not count here
        elif trainer.is_global_zero and (error := link_names(resumed, names)):
            log.warning("%s", error)
        if is_out_of_time(trainer):
            raise TimeLimitReached

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts to handle signals, and raises early what saving would raise later."""
        self.signals.listen()
        make_plain({"callbacks": {callback.state_key: callback.state_dict() for callback in trainer.callbacks}})  # pyright: ignore
        require_enough_pairs(trainer, self.monitor)
        self.saved_at, self.saved_step, self.saved_best = time.monotonic(), trainer.global_step, self.best
        if trainer.is_global_zero:
            warn_if_disk_is_small(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Saves if it is due. A step that is validated, and the last one of an epoch, are saved after that."""
        self.losses = outputs["losses"]
        self._finish_save(trainer, wait=False)
        if is_last_batch(trainer) or is_validation_due(trainer):
            return
        is_asked, is_late = is_wanted_anywhere(trainer, self.signals.received is not None), is_out_of_time(trainer)
        if is_asked or is_late or self._is_due(trainer):
            self._save(trainer, must=is_late)
        if is_asked or is_late:
            self._stop(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Saves after a validation within an epoch."""
        if not trainer.sanity_checking and not is_epoch_over(trainer):
            self._save_validated(trainer, must=is_out_of_time(trainer))
            self._stop_if_asked(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Saves once; other names are links to the same file. The last save of a training must succeed."""
        epoch, is_last = trainer.current_epoch + 1, is_last_epoch(trainer)
        is_kept = self.every_n_epochs and epoch % self.every_n_epochs == 0 and not is_epoch_cut_short(trainer)
        self.is_epoch_cut = is_epoch_cut_short(trainer)
        self._save_validated(trainer, [f"epoch={epoch}.ckpt"] * bool(is_kept), must=is_last or is_out_of_time(trainer))
        if not is_last:
            self._stop_if_asked(trainer)
        self.is_epoch_cut = False

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Marks an epoch that was cut short as unfinished, so that a longer training continues it."""
        if self.is_epoch_cut:
            mark_epoch_unfinished(checkpoint)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Restores the signal handlers. Raises OSError if the end of the training could not be saved."""
        self.signals.restore()
        self._finish_save(trainer, must=True)
        if self.error:
            raise self.error

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Saves the steps since the last checkpoint if the error occurred between two steps."""
        self.signals.restore()
        # Between two steps `ready` equals `completed`; within one, weights and counts may be of different steps.
        steps = trainer.fit_loop.epoch_loop.batch_progress.current
        is_between_steps = steps.ready == steps.completed and 0 < steps.completed < trainer.num_training_batches
        is_new = trainer.global_step > getattr(self, "saved_step", trainer.global_step)
        # With several processes the others may be in a step: they cannot save together.
        should_save = trainer.training and is_between_steps and is_new
        try:
            if should_save and trainer.world_size == 1 and isinstance(exception, Exception):
                self._save(trainer)
            self._finish_save(trainer)
        except ValueError as error:  # the user is told of the first exception
            log.warning("step %d is not saved: %s", trainer.global_step, error)

    def state_dict(self) -> dict[str, Any]:
        """The best value so far, and the other names of this checkpoint."""
        return {"best": self.best, "names": self.names} | self._criterion()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores them; the best value only if it is one of the same metric."""
        is_same = all(state_dict.get(name, value) == value for name, value in self._criterion().items())
        self.best = state_dict["best"] if is_same else None
        # An untrusted checkpoint must not name files elsewhere.
        self.names = [name for name in state_dict["names"] if re.fullmatch(r"best\.ckpt|epoch=\d+\.ckpt", name)]

    def _criterion(self) -> dict[str, Any]:
        """What decides which checkpoint is best."""
        return {"monitor": self.monitor, "higher_is_better": self.higher_is_better}

    def _is_due(self, trainer: pl.Trainer) -> bool:
        is_due_by_step = self.every_n_steps is not None and trainer.global_step % self.every_n_steps == 0
        minutes = math.inf if self.every_n_minutes is None else self.every_n_minutes
        return is_due_by_step or is_wanted_anywhere(trainer, time.monotonic() - self.saved_at >= 60 * minutes)

    def _save(self, trainer: pl.Trainer, names: Sequence[str] = (), *, must: bool = False) -> None:
        """Saves `last.ckpt` and its links. If the disk refuses, a warning is logged and the training continues.

        Raises:
            OSError: if the disk refuses and `must` is set.
            ValueError: if the training has diverged; earlier checkpoints stay as they are.
        """
        losses, where = average_over_processes(self.losses), f"at step {trainer.global_step}, which is not saved"
        require_finite_losses(losses, where, trainer.default_root_dir)
        self._finish_save(trainer)
        # Lightning calls `state_dict` while it saves, so that the file holds the names that it is about to get.
        last, self.names = Run(trainer.default_root_dir).checkpoints / "last.ckpt", list(names)
        if isinstance(trainer.strategy.checkpoint_io, AtomicCheckpointIO):
            # On the CPU the steps would wait for the thread all the same, and the copy take half as much memory again.
            in_background = trainer.strategy.root_device.type != "cpu"
            trainer.save_checkpoint(last, storage_options=SaveOptions(names, in_background=in_background))
        else:  # in a Trainer that was not built here
            trainer.save_checkpoint(last)
            self._report(link_names(last, names) if trainer.is_global_zero else None, must=must)
        self.saved_at, self.saved_step, self.names = time.monotonic(), trainer.global_step, []
        if must:
            self._finish_save(trainer, must=True)

    def _finish_save(self, trainer: pl.Trainer, *, wait: bool = True, must: bool = False) -> None:
        """Waits for the checkpoint that is being written, if any."""
        io = trainer.strategy.checkpoint_io
        if isinstance(io, AtomicCheckpointIO) and io.writing is not None and (wait or io.is_written()):
            self._report(io.finish(), must=must)

    def _report(self, error: OSError | None, *, must: bool) -> None:
        """Raises the error of a save if `must` is set, else logs it."""
        self.error = error
        if error and must:
            raise error
        if error:
            self.best = self.saved_best
            log.warning("step %d: %s", self.saved_step, error)
        self.saved_best = self.best

    def _save_validated(self, trainer: pl.Trainer, names: Sequence[str] = (), *, must: bool) -> None:
        """Saves if it is due, also as `best.ckpt` if the value of the last validation is the best so far."""
        self._finish_save(trainer)  # it may have failed, and with it the best value so far
        names = ["best.ckpt"] * self._is_better(trainer) + list(names)
        is_early = time.monotonic() - self.saved_at < find_least_seconds(trainer, self.min_seconds)
        if is_wanted_anywhere(trainer, bool(names) or must or not is_early, now=True):
            self._save(trainer, names, must=must)

    def _stop_if_asked(self, trainer: pl.Trainer) -> None:
        """Ends the training after a save, if the time limit has passed or a process has received a signal."""
        if is_out_of_time(trainer) or is_wanted_anywhere(trainer, self.signals.received is not None, now=True):
            self._stop(trainer)

    def _stop(self, trainer: pl.Trainer) -> None:
        if self.saved_step != trainer.global_step:
            self._save(trainer)
        self._finish_save(trainer)
        self.signals.restore()
        if self.signals.received is None:
            raise TimeLimitReached
        self.signals.forward_to_launcher()
        raise TrainingInterrupted(self.signals.received)

    def _is_better(self, trainer: pl.Trainer) -> bool:
        """Whether the value of the last validation is the best so far. The first value is."""
        value, sign = read_metric(trainer, self.monitor), -1 if self.higher_is_better else 1
        if value is None or (self.best is not None and sign * value >= sign * self.best):
            return False
        self.best = value
        return True
