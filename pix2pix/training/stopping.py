"""Decides between two steps whether a training ends: by epochs, steps, callbacks or its time limit."""

from collections.abc import Iterable
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping, Timer

from pix2pix.core.old_names import current_class_name


def is_last_epoch(trainer: pl.Trainer) -> bool:
    """Whether the training is over after this epoch; `trainer.max_time` only interrupts it."""
    # Lightning's limits are -1 (epochs also None) where there is none.
    by_epochs = 0 <= (-1 if trainer.max_epochs is None else trainer.max_epochs) <= trainer.current_epoch + 1
    return by_epochs or _is_ended(trainer)


def is_epoch_over(trainer: pl.Trainer) -> bool:
    """Whether no further step follows in this epoch. A time limit does not end an epoch, but interrupts it."""
    return is_last_batch(trainer) or _is_ended(trainer)


def is_validation_due(trainer: pl.Trainer) -> bool:
    """Whether a validation follows the present step, apart from one that Lightning adds where it stops."""
    stopped, trainer.should_stop = trainer.should_stop, False
    try:
        loop = trainer.fit_loop
        return loop.epoch_loop._should_check_val_fx(loop._data_fetcher)  # pyright: ignore[reportArgumentType]
    finally:
        trainer.should_stop = stopped


def is_out_of_time(trainer: pl.Trainer) -> bool:
    """Whether the time limit of this session has passed. All processes agree, as `should_stop` is the same in all."""
    if not _is_stopped(trainer):
        return False
    timers = [callback for callback in trainer.callbacks if isinstance(callback, Timer)]  # pyright: ignore
    remaining = [timer.time_remaining() for timer in timers]
    # `should_stop` has other causes, too, such as early stopping. The clocks of processes differ a little: any counts.
    passed = any(seconds is not None and seconds <= 0 for seconds in remaining)
    return trainer.strategy.reduce_boolean_decision(passed, all=False)


def is_last_batch(trainer: pl.Trainer) -> bool:
    """Whether the present batch is the last of its epoch."""
    return not is_epoch_cut_short(trainer)


def is_epoch_cut_short(trainer: pl.Trainer) -> bool:
    """At the end of an epoch: whether it ended before its last batch, by a limit of steps or by a callback."""
    return trainer.fit_loop.epoch_loop.batch_progress.current.ready < trainer.num_training_batches


def mark_epoch_unfinished(checkpoint: dict[str, Any]) -> None:
    """Marks the epoch of a checkpoint as unfinished, so that a longer training continues it with its next step."""
    # Lightning has counted it as processed, and would begin the next epoch when it resumes.
    progress = checkpoint["loops"]["fit_loop"]["epoch_progress"]
    for count in ("total", "current"):
        progress[count]["processed"] -= 1


def update_callback_states(checkpoint: dict[str, Any], callbacks: Iterable[pl.Callback]) -> None:
    """Finds the states of callbacks by their present names, and drops what belongs to a session or to the settings.

    `max_time` counts each session, so the timer starts anew. EarlyStopping would restore its earlier patience.
    """
    states = checkpoint.get("callbacks", {})
    states.pop(Timer.__qualname__, None)
    for name in list(states):
        states[current_class_name(name)] = states.pop(name)
    for callback in callbacks:
        if isinstance(callback, EarlyStopping) and callback.state_key in states:
            states[callback.state_key]["patience"] = callback.patience


def _is_ended(trainer: pl.Trainer) -> bool:
    """Whether the training ends at the present step, by `max_steps` or by a callback."""
    by_steps = 0 <= trainer.max_steps <= trainer.global_step
    return by_steps or (_is_stopped(trainer) and not is_out_of_time(trainer))


def _is_stopped(trainer: pl.Trainer) -> bool:
    return trainer.should_stop and trainer.fit_loop._can_stop_early  # not before min_epochs and min_steps
