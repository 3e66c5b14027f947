"""Derives the position in the data from the trainer's count of batches, to resume within an epoch."""

import math
from typing import Any, NamedTuple

import pytorch_lightning as pl
from pytorch_lightning.loops.loop import _Loop

from pix2pix.core.plurals import pluralize


class EpochLayout(NamedTuple):
    """How many pairs an epoch has, and how many of them a step takes."""

    processes: int
    batch_size: int  # pairs in a batch of one process
    pairs: int

    @property
    def step(self) -> int:
        """Pairs in a step, over all processes."""
        return self.processes * self.batch_size

    def steps(self, limit: float | None) -> int:
        """Steps of an epoch under the trainer's `limit_train_batches`."""
        whole = math.ceil(self.pairs / self.step)
        return max(1, min(whole, limit) if isinstance(limit, int) else int(whole * (1.0 if limit is None else limit)))


def find_position(trainer: pl.Trainer, layout: EpochLayout) -> tuple[int, int]:
    """The epoch and its first batch not yet taken."""
    return divmod(_batch_progress(trainer).total.processed, layout.steps(trainer.limit_train_batches))


def convert_progress(trainer: pl.Trainer, saved: EpochLayout | None, layout: EpochLayout) -> str | None:
    """Converts the count of batches in a checkpoint to the present layout. Returns what changes, as a warning.

    An epoch in progress continues with its first pair not yet taken; if that pair lies within a batch, with this batch.
    The count of training steps stays as it is.
    """
    if saved is None or saved == layout:
        return None
    progress, limit = _batch_progress(trainer), trainer.limit_train_batches
    saved_steps, steps = saved.steps(limit), layout.steps(limit)
    epoch, saved_batch = divmod(progress.total.processed, saved_steps)
    batch = min(saved_batch * saved.step // layout.step, steps - 1)
    # Lightning's two counts: `total` over all epochs, `current` within the epoch, which at its end is the whole epoch.
    is_complete = progress.current.processed == saved_steps
    _set_processed(progress.total, epoch * steps + batch)
    _set_processed(progress.current, steps if is_complete else batch)
    return _describe_change(saved, layout, saved_batch * saved.step - batch * layout.step, limit)


def align_progress(trainer: pl.Trainer, layout: EpochLayout) -> None:
    """Makes Lightning's counts of epochs agree with the position in the data, which a checkpoint has restored.

    Otherwise a training with `max_steps` counts one epoch twice: if it resumes from the end of an epoch, and if
    `max_steps` ended it within an epoch, which Lightning then takes for complete.
    """
    epoch, batch = find_position(trainer, layout)
    is_within = batch > 0
    epochs: Any = trainer.fit_loop.epoch_progress
    for counts in (epochs.total, epochs.current):
        counts.ready = counts.started = epoch + is_within
        counts.processed = epoch
        # Lightning saves at the end of an epoch before it counts the epoch as completed.
        counts.completed = epoch - (epoch > 0 and not is_within)
    _Loop.restarting.fset(trainer.fit_loop, is_within)  # pyright: ignore[reportOptionalCall]


def _describe_change(saved: EpochLayout, layout: EpochLayout, repeated: int, limit: float | None) -> str:
    counts = (
        _format_count("process", "processes", layout.processes, saved.processes),
        _format_count("pair a step", "pairs a step", layout.step, saved.step),
        _format_count("step an epoch", "steps an epoch", layout.steps(limit), saved.steps(limit)),
    )
    pairs = pluralize(repeated, "pair of this epoch is", "pairs of this epoch are")
    repeats = f" {pairs} used twice." if repeated else ""
    return (
        f"Resuming with {', '.join(counts)}.{repeats} Dropout and rounding depend on these numbers, so the "
        "weights will not equal those of an uninterrupted run bit for bit."
    )


def _format_count(singular: str, plural: str, count: int, saved: int) -> str:
    return pluralize(count, singular, plural) + (f" instead of {saved}" if count != saved else "")


def _batch_progress(trainer: pl.Trainer) -> Any:
    return trainer.fit_loop.epoch_loop.batch_progress


def _set_processed(counts: Any, processed: int) -> None:
    """Sets `processed` and shifts the other counts by as much: their differences tell Lightning where a step ended."""
    shift = processed - counts.processed
    for name in ("ready", "started", "processed", "completed"):
        setattr(counts, name, getattr(counts, name) + shift)
