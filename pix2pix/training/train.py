"""Trains one run: finds its data, builds its parts, trains, writes the run directory."""

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytorch_lightning as pl
import torch

from pix2pix.config.schema import RunConfig
from pix2pix.core import trusted_modules
from pix2pix.core.allocator import keep_freed_memory
from pix2pix.core.instantiate import is_component_of
from pix2pix.core.processes import is_first_process
from pix2pix.data.datamodule import PairDataModule
from pix2pix.data.inventory import Inventory, describe_edits, record_inventory
from pix2pix.data.source_size import measure_source_size
from pix2pix.runs.errors import other_data_error
from pix2pix.runs.progress import is_training_checkpoint
from pix2pix.runs.run import Run
from pix2pix.runs.train_log import TrainLog, collect_messages
from pix2pix.training.build import build_data, build_model, build_trainer
from pix2pix.training.callbacks.checkpoint import Checkpoints
from pix2pix.training.execution import decide_execution
from pix2pix.training.fit import find_given_checkpoint, fit
from pix2pix.training.initial_weights import load_initial_weights
from pix2pix.training.messages import (
    NOTHING_TO_DO,
    advise_on_class_numbers,
    advise_on_size,
    announce_checkpoints,
    announce_end,
    silence_lightning,
)
from pix2pix.training.module import Pix2Pix
from pix2pix.training.outcome import read_best_values, require_saved
from pix2pix.training.output_paths import keep_outputs_in_run
from pix2pix.training.resume import keep_recorded_splits, require_compatible, warn_about_schedule

log = logging.getLogger(__name__)


def train(config: RunConfig) -> None:
    """Trains the run that a checked configuration describes, or resumes it where it stopped.

    Raises:
        ValueError: for another configuration than the directory holds, or devices that are not there.
        OSError: for data that is not there, or a run directory that cannot be written.
    """
    if config.fast_dev_run:
        _run_trial(config)
        return
    with collect_messages() as train_log, _set_old_run_aside(Run(config.run_dir), config):
        _train(config, train_log)


@contextmanager
def _set_old_run_aside(run: Run, config: RunConfig) -> Iterator[None]:
    """Renames the run that `resume=never` replaces. It gets its name back if the new one cannot start."""
    aside = run.archive() if config.resume == "never" and is_first_process() else None
    if aside:
        log.info("resume=never: the old run was renamed to %s.", aside)
    try:
        yield
    except BaseException:
        if aside and not run.path.exists():
            aside.rename(run.path)
            log.info("Nothing was started: the old run is called %s again.", run.path)
        raise


def _train(config: RunConfig, train_log: TrainLog) -> None:
    # All errors of users are found before the process prepares devices or writes into the run.
    run = Run(config.run_dir)
    # Neither needs another check: the paths only lead into the run, and the pairs are those of a checked configuration.
    config = keep_recorded_splits(run, keep_outputs_in_run(config, run))
    _prepare_directory(run, config)
    data = build_data(config)
    files = data.take_inventory()
    _require_same_data(run, config, files)
    if _is_complete(run, config):
        log.info(NOTHING_TO_DO, run.path)
        return
    config = _add_source_size(config, data)
    prepare_process()
    with silence_lightning():
        config = decide_execution(config, run, data)
        model, trainer = build_model(config), build_trainer(config, run)
        _prepare_start(run, model, config, is_first=trainer.is_global_zero)
        if not trainer.is_global_zero:
            _follow_first_process(trainer, model, data, config, run)
            return
        # Under the lock of the directory. Another process may have finished the same run while this one waited for it.
        with run.open_session(config, files.fingerprint) as is_unfinished:
            if is_unfinished:
                train_log.open(run.path)
                # A run without a checkpoint starts over, on these files.
                is_anew = config.allow_changed_data or not run.resume_checkpoints()
                record_inventory(run.inventory_file, files, anew=is_anew)
                del files  # of a million pairs it takes a hundred megabytes
                advise_on_size(model.generator, config)
                advise_on_class_numbers(data.training.pairs, config.data)
                if not fit(trainer, model, data, config, run):
                    return
                _finish(run, trainer)
        announce_end(run)


def _run_trial(config: RunConfig) -> None:
    """Lightning's `fast_dev_run`: a few batches of training and validation.

    Nothing is kept, and the run's name stays free.
    """
    # Lightning's checkpoint callbacks save nothing in a trial; those of this package would.
    callbacks = {name: part for name, part in config.callbacks.items() if not is_component_of(part, Checkpoints)}
    prepare_process()
    with silence_lightning(), tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder) / "run")
        data = build_data(config)
        trial = config.replace(callbacks=callbacks, logger={}, run_dir=str(run.path), resume="auto")
        trial = decide_execution(trial, run, data)
        model, trainer = build_model(trial), build_trainer(trial, run)
        fit(trainer, model, data, trial, run)
    log.info("trainer.fast_dev_run=%s: as many batches went through. Nothing is kept of it.", config.fast_dev_run)


def _add_source_size(config: RunConfig, data: PairDataModule) -> RunConfig:
    """Adds the measured size of the source files; translation needs it to resize pictures as in training."""
    if config.data.source_size is not None:
        return config
    return config.replace(data=config.data.replace(source_size=measure_source_size(data.pairs)))


def prepare_process() -> None:
    """Makes the steps of this process faster, without a change to any number."""
    keep_freed_memory()
    # Deterministic algorithms would fill new memory with NaN, to expose reads of unwritten memory. That costs a seventh
    # of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]


def _prepare_directory(run: Run, config: RunConfig) -> None:
    """Prepares the files of the run that is resumed. Raises ValueError if the directory holds another run."""
    if not is_first_process():
        return
    run.archive_damaged_provenance()
    run.require_same(config)
    trusted_modules.remember_modules(config.to_mapping())


def _require_same_data(run: Run, config: RunConfig, files: Inventory) -> None:
    """Raises ValueError if the run was trained on other pairs than those in `files`."""
    if config.allow_changed_data:
        return
    run.require_same_data(files.fingerprint)
    if is_first_process() and run.resume_checkpoints() and (why := describe_edits(run.inventory_file, files)):
        raise other_data_error(run.path, why)


def _finish(run: Run, trainer: pl.Trainer) -> None:
    """Marks the run as finished. Raises an error if its last checkpoint is missing."""
    require_saved(trainer, run)
    best = read_best_values(trainer)
    run.finish(best)
    announce_checkpoints(run, best)


def _is_complete(run: Run, config: RunConfig) -> bool:
    """Whether there is nothing left to train."""
    if config.resume == "never" and not is_first_process():
        return False  # the directory may still hold the old run, which the first process is about to rename
    return run.is_complete_for(config)


def _prepare_start(run: Run, model: Pix2Pix, config: RunConfig, *, is_first: bool) -> None:
    """Checks the checkpoint that the training resumes from, or gives a new training the weights of `init_from`.

    This runs before anything is written, so a wrong path leaves no run directory behind.
    """
    for folder in filter(Path.is_dir, sorted(run.checkpoints.glob("*.ckpt"))):
        raise ValueError(f"{folder}: is a folder, where the training will save a checkpoint. Rename or remove it.")
    # A run's own checkpoints come first: `resume=PATH` and `init_from` only say how a run begins.
    if saved := run.resume_checkpoints():
        _check_own_checkpoint(run, saved, model, config, is_first=is_first)
    elif checkpoint := find_given_checkpoint(config):
        require_compatible(checkpoint, model, config, is_elsewhere=True)
    elif config.init_from:
        load_initial_weights(config.init_from, model)


def _check_own_checkpoint(
    run: Run, saved: Sequence[Path], model: Pix2Pix, config: RunConfig, *, is_first: bool
) -> None:
    """Checks the newest readable checkpoint of a run. Damaged ones are reported when the training resumes."""
    newest = next(filter(is_training_checkpoint, saved), None)
    if newest is None:
        return
    progress = require_compatible(newest, model, config)
    if is_first:
        warn_about_schedule(run, progress, run.config(), config)


def _follow_first_process(
    trainer: pl.Trainer, model: Pix2Pix, data: PairDataModule, config: RunConfig, run: Run
) -> None:
    """Trains in a process other than the first. It neither logs nor writes into the run."""
    logging.getLogger("pix2pix").setLevel(logging.ERROR)
    trainer.strategy.setup_environment()  # waits for the first process, which chooses the checkpoint to resume from
    fit(trainer, model, data, config, run)
