"""Derives the position in the data from the trainer's count of batches, to resume within an epoch."""

import math
from typing import Any, NamedTuple

import pytorch_lightning as pl
from pytorch_lightning.loops.loop import _Loop


class EpochLayout(NamedTuple):
    """How a training goes through an epoch of `pairs`."""

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
    before, steps = saved.steps(limit), layout.steps(limit)
    epoch, taken = divmod(progress.total.processed, before)
    now = min(taken * saved.step // layout.step, steps - 1)
    # Lightning's two counts: `total` over all epochs, `current` within the epoch, which at its end is the whole epoch.
    of_epoch = steps if progress.current.processed == before else now
    _set_processed(progress.total, epoch * steps + now)
    _set_processed(progress.current, of_epoch)
    return _describe_change(saved, layout, taken * saved.step - now * layout.step, limit)


def align_progress(trainer: pl.Trainer, layout: EpochLayout) -> None:
    """Makes Lightning's counts of epochs agree with the position in the data, which a checkpoint has restored.

    Otherwise a training with `max_steps` counts one epoch twice: if it resumes from the end of an epoch, and if
    `max_steps` ended it within an epoch, which Lightning then takes for complete.
    """
    epoch, batch = find_position(trainer, layout)
    within = batch > 0
    epochs: Any = trainer.fit_loop.epoch_progress
    for counts in (epochs.total, epochs.current):
        counts.ready = counts.started = epoch + within
        counts.processed = epoch
        # Lightning saves at the end of an epoch before it counts the epoch as completed.
        counts.completed = epoch - (epoch > 0 and not within)
    _Loop.restarting.fset(trainer.fit_loop, within)  # pyright: ignore[reportOptionalCall]


def _describe_change(saved: EpochLayout, layout: EpochLayout, again: int, limit: float | None) -> str:
    counts = (
        _format_count("process", "processes", layout.processes, saved.processes),
        _format_count("pair a step", "pairs a step", layout.step, saved.step),
        _format_count("step an epoch", "steps an epoch", layout.steps(limit), saved.steps(limit)),
    )
    twice = f" {again} pairs of this epoch are taken twice." if again else ""
    return (
        f"Going on with {', '.join(counts)}.{twice} Dropout is drawn for each process and sums are rounded otherwise: "
        "the weights will not be those of an unbroken run, bit for bit."
    )


def _format_count(one: str, several: str, now: int, before: int) -> str:
    return f"{now} {one if now == 1 else several}" + (f" instead of {before}" if now != before else "")


def _batch_progress(trainer: pl.Trainer) -> Any:
    return trainer.fit_loop.epoch_loop.batch_progress


def _set_processed(counts: Any, processed: int) -> None:
    """Sets `processed`; the other counts keep their distance, which tells Lightning where in a step it was saved."""
    by = processed - counts.processed
    for name in ("ready", "started", "processed", "completed"):
        setattr(counts, name, getattr(counts, name) + by)
