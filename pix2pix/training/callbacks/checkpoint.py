"""Decides when to save checkpoints, and refuses to save weights that are not finite."""

import logging
import math
import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import pytorch_lightning as pl
from pydantic import Field
from pytorch_lightning.callbacks import Checkpoint
from torch import Tensor

from pix2pix.config.metric_names import DIAGNOSES, Mode, higher_is_better
from pix2pix.core.signals import StopSignals, TimeLimitReached, TrainingInterrupted
from pix2pix.runs.checkpoints import AtomicCheckpointIO, link_checkpoint
from pix2pix.runs.plain_state import require_plain
from pix2pix.training.callbacks.collapse_monitor import MIN_PAIRS
from pix2pix.training.divergence import require_finite_losses
from pix2pix.training.gan_ddp_strategy import average_over_processes
from pix2pix.training.stopping import is_epoch_cut_short, is_last_epoch, is_out_of_time, mark_epoch_unfinished

log = logging.getLogger(__name__)

AGREE_EVERY = 10  # steps after which several processes agree on whether to save; asking every step would cost time
COPIES = 3  # last, previous and best


class Checkpoints(Checkpoint):
    """Saves `last.ckpt` after every epoch and now and then within it; keeps the best one as `best.ckpt`.

    A checkpoint is taken between steps, never within one, and never of losses or weights that are not finite. SIGTERM,
    Ctrl-C and the signals of clusters end the training after the step at hand, saved; so does an error between steps,
    such as that of an unreadable picture.

    Args:
        monitor: the metric that decides, e.g. `val/l1`, or one that a callback of your own logs.
        mode: whether more of it is better (`max`) or less (`min`); None where that is known, as of our own metrics.
        every_n_epochs: keep `epoch=N.ckpt` every so many epochs; None keeps none.
        every_n_steps: save `last.ckpt` every so many steps, too; None does not.
        every_n_minutes: likewise.

    Raises:
        ValueError: for a metric of which nobody says which way is better.
    """

    def __init__(
        self,
        *,
        monitor: str = "val/ssim",
        mode: Mode | None = None,
        every_n_epochs: Annotated[int, Field(ge=1)] | None = None,
        every_n_steps: Annotated[int, Field(ge=1)] | None = None,
        every_n_minutes: Annotated[float, Field(gt=0)] | None = 10.0,
    ) -> None:
        self.monitor, self.every_n_epochs = monitor, every_n_epochs
        self.higher_is_better = higher_is_better(monitor, mode)
        self.every_n_steps, self.every_n_minutes = every_n_steps, every_n_minutes
        self.best: float | None = None
        self.names: list[str] = []  # under which this state is kept, besides `last.ckpt`
        self.losses: dict[str, Tensor] = {}  # of the last step
        self.error: OSError | None = None  # of the last save
        self.cut = False  # whether what is saved is the end of an epoch that was cut short
        self.signals = StopSignals()

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Makes up for links that a kill prevented, also where there is nothing left to train, or no time for it."""
        names, self.names = self.names, []  # they are those of the checkpoint resumed from, not of the next one
        resumed = Path(trainer.ckpt_path or "")
        if resumed.parent != _folder(trainer):
            self.best = None  # that of another run must not stand in the way of this one's
        elif trainer.is_global_zero and (error := self._link(trainer, resumed, names)):
            log.warning("%s", error)
        if is_out_of_time(trainer):
            raise TimeLimitReached

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Listens to signals; says now what saving would say later."""
        self.signals.listen()
        require_plain({callback.state_key: callback.state_dict() for callback in trainer.callbacks})  # pyright: ignore
        self._require_enough_pairs(trainer)
        self.saved_at, self.saved_step = time.monotonic(), trainer.global_step
        if trainer.is_global_zero:
            self._warn_of_a_small_disk(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Saves where it is time to. The last step of an epoch is saved after its validation."""
        self.losses = outputs["losses"]
        if not is_epoch_cut_short(trainer):
            return
        asked, late = _any_process(trainer, self.signals.received is not None), is_out_of_time(trainer)
        if asked or late or self._is_due(trainer):
            self._save(trainer, must=late)
        if asked or late:
            self._stop()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Saves once; the other names are links to the same file. What is saved last must be saved."""
        epoch, last, late = trainer.current_epoch + 1, is_last_epoch(trainer), is_out_of_time(trainer)
        kept = self.every_n_epochs and epoch % self.every_n_epochs == 0 and not is_epoch_cut_short(trainer)
        best = self.best
        names = ["best.ckpt"] * self._is_better(trainer) + ([f"epoch={epoch}.ckpt"] if kept else [])
        self.cut = is_epoch_cut_short(trainer)
        if not self._save(trainer, names, must=last or late):
            self.best = best  # what `best.ckpt` still is
        self.cut = False
        if not last and (late or _any_process(trainer, self.signals.received is not None, now=True)):
            self._stop()

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Leaves an epoch that was cut short open, for a longer training to go on with."""
        if self.cut:
            mark_epoch_unfinished(checkpoint)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Listens no longer. Raises OSError when the end of the training is not saved, whatever ended it."""
        self.signals.restore()
        if self.error:
            raise self.error

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Saves what was learnt since the last checkpoint, where the error came between two steps."""
        self.signals.restore()
        steps = trainer.fit_loop.epoch_loop.batch_progress.current
        between = steps.ready == steps.completed and 0 < steps.completed < trainer.num_training_batches
        new = trainer.training and between and trainer.global_step > getattr(self, "saved_step", trainer.global_step)
        if new and trainer.world_size == 1 and isinstance(exception, Exception):
            try:
                self._save(trainer)
            except ValueError as error:  # the exception at hand is what is told
                log.warning("step %d is not saved: %s", trainer.global_step, error)

    def state_dict(self) -> dict[str, Any]:
        """The best value so far, and the names of this checkpoint."""
        return {"best": self.best, "names": self.names} | self._aim()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes them up; not the best value of another metric, with which none of this one compares."""
        same = all(state_dict.get(name, value) == value for name, value in self._aim().items())
        self.best = state_dict["best"] if same else None
        # A checkpoint of somebody else's must not name files elsewhere.
        self.names = [name for name in state_dict["names"] if re.fullmatch(r"best\.ckpt|epoch=\d+\.ckpt", name)]

    def _aim(self) -> dict[str, Any]:
        """What is best."""
        return {"monitor": self.monitor, "higher_is_better": self.higher_is_better}

    def _is_due(self, trainer: pl.Trainer) -> bool:
        by_step = self.every_n_steps and trainer.global_step % self.every_n_steps == 0
        minutes = (time.monotonic() - self.saved_at) / 60
        by_clock = self.every_n_minutes is not None and minutes >= self.every_n_minutes
        return bool(by_step) or _any_process(trainer, by_clock)

    def _save(self, trainer: pl.Trainer, names: Sequence[str] = (), *, must: bool = False) -> bool:
        """Saves `last.ckpt` and its links; False where it could not, and the training goes on.

        Raises:
            OSError: where it cannot and must.
            ValueError: when the training has diverged. What is saved stays as it is.
        """
        seen = f"at step {trainer.global_step}, which is not saved"
        require_finite_losses(average_over_processes(self.losses), seen, trainer.default_root_dir)
        last, self.names = _folder(trainer) / "last.ckpt", list(names)
        trainer.save_checkpoint(last)
        self.saved_at, self.saved_step, self.names = time.monotonic(), trainer.global_step, []
        io = trainer.strategy.checkpoint_io
        self.error = io.error if isinstance(io, AtomicCheckpointIO) else None
        if not self.error and trainer.is_global_zero:
            self.error = self._link(trainer, last, names)
        if self.error and must:
            raise self.error
        if self.error:
            log.warning("step %d: %s", trainer.global_step, self.error)
        return self.error is None

    def _link(self, trainer: pl.Trainer, file: Path, names: Sequence[str]) -> OSError | None:
        """Keeps the checkpoint under other names, too; what is in the way of that is given back."""
        for name in names:
            path = _folder(trainer) / name
            try:
                link_checkpoint(file, path)
            except OSError as error:
                return OSError(
                    f"{path}: could not be saved ({error}). Free some space: the previous checkpoint is kept."
                )
        return None

    def _stop(self) -> None:
        self.signals.restore()
        if self.signals.received is None:
            raise TimeLimitReached
        self.signals.forward_to_launcher()
        raise TrainingInterrupted(self.signals.received)

    def _is_better(self, trainer: pl.Trainer) -> bool:
        """Whether this epoch was validated, with the best value so far; the first one is."""
        if self.monitor not in trainer.callback_metrics:
            if not trainer.callback_metrics:
                return False
            raise ValueError(
                f"callbacks.checkpoint.monitor={self.monitor}: no such metric is logged. "
                f"Choose from {', '.join(sorted(trainer.callback_metrics))}."
            )
        value = float(trainer.callback_metrics[self.monitor])
        sign = -1 if self.higher_is_better else 1
        if math.isnan(value) or (self.best is not None and sign * value >= sign * self.best):
            return False
        self.best = value
        return True

    def _require_enough_pairs(self, trainer: pl.Trainer) -> None:
        pairs = sum(trainer.num_val_batches)
        if self.monitor.removeprefix("val/") in DIAGNOSES and pairs < MIN_PAIRS:
            raise ValueError(
                f"callbacks.checkpoint.monitor={self.monitor}: it takes {MIN_PAIRS} validation pairs at least, and "
                f"this run has {pairs:.0f}. Choose another metric, such as val/ssim, or add pairs."
            )

    def _warn_of_a_small_disk(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        weights = sum(tensor.nbytes for tensor in pl_module.state_dict().values())
        needed = COPIES * 3 * weights  # the weights and Adam's two moments of each
        free = shutil.disk_usage(trainer.default_root_dir).free
        if free < needed:
            log.warning(
                "%s: %.1f GB are free, the checkpoints need about %.1f GB. Make room before the first epoch ends.",
                *(trainer.default_root_dir, free / 1e9, needed / 1e9),
            )


def _folder(trainer: pl.Trainer) -> Path:
    return Path(trainer.default_root_dir) / "checkpoints"


def _any_process(trainer: pl.Trainer, wanted: bool, *, now: bool = False) -> bool:
    """Whether any process wants it; several processes ask each other only every so many steps."""
    if trainer.world_size == 1:
        return wanted
    if not now and trainer.global_step % AGREE_EVERY:
        return False
    return trainer.strategy.reduce_boolean_decision(wanted, all=False)
