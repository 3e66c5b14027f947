"""Trains one run: finds its data, builds its parts, trains, writes the run directory."""

import logging
import tempfile
from pathlib import Path

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.rank_zero import rank_zero_only
from pytorch_lightning.utilities.exceptions import SIGTERMException

from pix2pix.config.schema import RunConfig
from pix2pix.core import trusted_modules
from pix2pix.core.allocator import keep_freed_memory
from pix2pix.core.instantiate import names_kind
from pix2pix.core.signals import TimeLimitReached, TrainingInterrupted
from pix2pix.data.datamodule import PairDataModule
from pix2pix.data.inventory import Inventory, describe_edits, record_inventory
from pix2pix.data.source_size import measure_source_size
from pix2pix.runs.checkpoints import find_resumable
from pix2pix.runs.errors import other_data_error
from pix2pix.runs.run import Run
from pix2pix.runs.threads import keep_thread_count
from pix2pix.runs.train_log import TrainLog, collect_messages
from pix2pix.training.build import build_data, build_model, build_trainer
from pix2pix.training.callbacks.checkpoint import Checkpoints
from pix2pix.training.initial_weights import load_initial_weights
from pix2pix.training.loggers.base import log_settings
from pix2pix.training.messages import (
    NOTHING_TO_DO,
    advise_on_class_numbers,
    advise_on_size,
    announce_checkpoints,
    announce_data,
    announce_own_weights,
    announce_training,
    is_out_of_memory,
    out_of_memory_message,
    silence_lightning,
)
from pix2pix.training.module import Pix2Pix
from pix2pix.training.outcome import read_best_values, require_saved
from pix2pix.training.output_paths import keep_outputs_in_run
from pix2pix.training.resume import (
    is_extended,
    is_training_checkpoint,
    keep_recorded_splits,
    require_compatible,
    warn_about_schedule,
)

log = logging.getLogger(__name__)

TERMINATED, INTERRUPTED = 143, 130  # the exit codes of programs that SIGTERM and Ctrl-C ended: 128 + 15, 128 + 2


def train(config: RunConfig) -> None:
    """Trains the run that a checked configuration describes, or resumes it where it stopped.

    Raises:
        ValueError: for another configuration than the directory holds, or devices that are not there.
        OSError: for data that is not there, or a run directory that cannot be written.
    """
    if config.fast_dev_run:
        _run_trial(config)
        return
    with collect_messages() as train_log:
        _train(config, train_log)


def _train(config: RunConfig, train_log: TrainLog) -> None:
    # All that can be wrong is found before the process prepares devices or writes into the run.
    run = Run(config.run_dir)
    config = keep_outputs_in_run(config, run)
    _prepare_directory(run, config)
    config = keep_recorded_splits(run, config)
    data = build_data(config)
    files = data.take_inventory()
    _require_same_data(run, config, files)
    if _is_complete(run, config):
        log.info(NOTHING_TO_DO, run.path)
        return
    config = _with_source_size(config, data)
    prepare_process()
    with silence_lightning():
        model, trainer = build_model(config), build_trainer(config, run)
        _initialise_or_require_checkpoint(run, model, config, is_first=trainer.is_global_zero)
        if not trainer.is_global_zero:
            _follow_first_process(trainer, model, data, config, run)
            return
        # Under the lock of the directory. Another process may have finished the same run while this one waited for it.
        with run.open_session(config, files.fingerprint) as is_unfinished:
            if is_unfinished:
                train_log.open(run.path)
                _record_inventory(run, config, files)
                del files  # of a million pairs it takes a hundred megabytes
                advise_on_size(model.generator, config)
                advise_on_class_numbers(data.training.pairs, config.data)
                if not _fit(trainer, model, data, config, run):
                    return
                _finish(run, trainer)
        log.info("Finished. Look at %s, or run: pix2pix evaluate %s", run.path / "samples", run.path)


def _run_trial(config: RunConfig) -> None:
    """Lightning's `fast_dev_run`: a few batches of training and validation. Nothing of it is kept, not the name."""
    # Checkpoints of Lightning skip a trial by themselves; those of this package would save.
    callbacks = {name: part for name, part in config.callbacks.items() if not names_kind(part, Checkpoints)}
    prepare_process()
    with silence_lightning(), tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder) / "run")
        trial = config.replace(callbacks=callbacks, logger={}, run_dir=str(run.path), resume="auto")
        model, trainer = build_model(trial), build_trainer(trial, run)
        _fit(trainer, model, build_data(trial), trial, run)
    log.info("trainer.fast_dev_run=%s: as many batches went through. Nothing is kept of it.", config.fast_dev_run)


def _with_source_size(config: RunConfig, data: PairDataModule) -> RunConfig:
    """The configuration with the size of the source's files, which translates pictures at the scale of the training."""
    if config.data.source_size is not None:
        return config
    return config.replace(data=config.data.replace(source_size=measure_source_size(data.pairs)))


def prepare_process() -> None:
    """Makes the steps of this process faster, without a change to any number."""
    keep_freed_memory()
    # Deterministic algorithms would fill all new memory with NaN, to show what reads it unwritten: a seventh of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]


def _is_first_process() -> bool:
    return getattr(rank_zero_only, "rank", 0) in {0, None}


def _prepare_directory(run: Run, config: RunConfig) -> None:
    """Sets aside what `resume=never` replaces. Raises ValueError where the directory holds another run."""
    if not _is_first_process():
        return
    if config.resume == "never" and (aside := run.archive()):
        log.info("resume=never: the old run was renamed to %s.", aside)
    run.archive_damaged_provenance()
    run.require_same(config)
    trusted_modules.remember_modules(config.to_mapping())


def _require_same_data(run: Run, config: RunConfig, files: Inventory) -> None:
    """Raises ValueError where the run was trained on other pairs than these files hold."""
    if config.allow_changed_data:
        return
    run.require_same_data(files.fingerprint)
    if _is_first_process() and run.resume_checkpoints() and (why := describe_edits(run.inventory_file, files)):
        raise other_data_error(run.path, why)


def _record_inventory(run: Run, config: RunConfig, files: Inventory) -> None:
    # A run without a checkpoint starts over, on these files.
    record_inventory(run.inventory_file, files, anew=config.allow_changed_data or not run.resume_checkpoints())


def _finish(run: Run, trainer: pl.Trainer) -> None:
    """Records the end in the run, whose last checkpoint must be there."""
    require_saved(trainer, run)
    best = read_best_values(trainer)
    run.finish(best)
    announce_checkpoints(run, best)


def _is_complete(run: Run, config: RunConfig) -> bool:
    """Whether there is nothing left to train. Asked twice, as the first process may start it again meanwhile."""
    if config.resume == "never" and not _is_first_process():
        return False  # what is there may be the old run, which the first process is about to rename
    return run.is_finished() and not is_extended(run, config) and run.is_finished()


def _initialise_or_require_checkpoint(run: Run, model: Pix2Pix, config: RunConfig, *, is_first: bool) -> None:
    """Gives a new training the weights of `init_from`; raises ValueError where it cannot start, or be resumed.

    All before anything is written: a mistake in a path uses up no name.
    """
    # The run's own checkpoint comes before `resume=PATH` and `init_from`, which only say how a run began.
    given = _given_checkpoint(config)
    if own := next(filter(is_training_checkpoint, run.resume_checkpoints()), None):
        so_far = require_compatible(own, model, config)
        if is_first:
            warn_about_schedule(run, so_far, run.config(), config)
    elif given and not run.resume_checkpoints():
        require_compatible(given, model, config, given=True)
    elif config.init_from and not run.resume_checkpoints():
        load_initial_weights(config.init_from, model)


def _follow_first_process(
    trainer: pl.Trainer, model: Pix2Pix, data: PairDataModule, config: RunConfig, run: Run
) -> None:
    """Trains as one of the other processes, which neither log nor write the run directory."""
    logging.getLogger("pix2pix").setLevel(logging.ERROR)
    trainer.strategy.setup_environment()  # waits for the first process, which decides what is resumed
    _fit(trainer, model, data, config, run)


def _fit(trainer: pl.Trainer, model: Pix2Pix, data: PairDataModule, config: RunConfig, run: Run) -> bool:
    """Trains to the end; False where the time limit passed before."""
    with keep_thread_count(run, trainer):
        return _fit_from_checkpoint(trainer, model, data, config, run)


def _fit_from_checkpoint(
    trainer: pl.Trainer, model: Pix2Pix, data: PairDataModule, config: RunConfig, run: Run
) -> bool:
    given = _given_checkpoint(config)
    checkpoint = find_resumable(run, instead=given)
    so_far = checkpoint and require_compatible(checkpoint, model, config, given=checkpoint == given)
    if trainer.is_global_zero:
        announce_training(run, config, checkpoint)
        log_settings(trainer.loggers, config)
        announce_data(data.pairs)
        if checkpoint is None and not config.init_from:
            announce_own_weights(model.generator, model.discriminator)
        if checkpoint and so_far:
            run.record_resumption(checkpoint, so_far.steps)
    try:
        trainer.fit(model, data, ckpt_path=checkpoint, weights_only=True)
    except TimeLimitReached:
        log.info(
            "Stopped: the time limit is reached. Run the same command again to resume %s from its last checkpoint.",
            run.path,
        )
        return False
    except (TrainingInterrupted, SIGTERMException, KeyboardInterrupt) as stopped:
        raise _exit_after_stop(run, stopped) from stopped
    except (RuntimeError, MemoryError) as error:
        if trainer.received_sigterm:  # loader workers may get the signal, too, and complain first
            raise _exit_after_stop(run, error) from error
        if not is_out_of_memory(error):
            raise
        raise ValueError(out_of_memory_message(config, error)) from error
    return True


def _given_checkpoint(config: RunConfig) -> Path | None:
    """The checkpoint given as `resume=PATH`, for continuing a training from another run."""
    return None if config.resume in {"auto", "never"} else Path(config.resume)


def _exit_after_stop(run: Run, why: BaseException) -> SystemExit:
    log.info("Stopped. Run the same command again to resume %s from its last checkpoint.", run.path)
    interrupted = isinstance(why, KeyboardInterrupt)
    return SystemExit(why.code if isinstance(why, TrainingInterrupted) else INTERRUPTED if interrupted else TERMINATED)
