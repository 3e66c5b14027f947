"""Trains one run: checks its configuration, builds its parts, trains, writes the run directory."""

import logging
import math
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.rank_zero import rank_zero_only
from lightning_fabric.utilities.warnings import PossibleUserWarning
from pytorch_lightning.utilities.exceptions import SIGTERMException
from torch import nn

from pix2pix.config.check import check
from pix2pix.config.defaults import completed
from pix2pix.config.hardware import in_words, picked
from pix2pix.config.identity import Config, ends
from pix2pix.core import trusted_modules
from pix2pix.core.allocator import keep_freed_memory
from pix2pix.core.instantiate import TARGET, locate
from pix2pix.core.signals import TimeLimitReached, TrainingInterrupted
from pix2pix.data.datamodule import PairDataModule
from pix2pix.data.inventory import describe_edits, record_inventory
from pix2pix.models import UNet
from pix2pix.models.input_sizes import suggest_sizes
from pix2pix.runs.checkpoints import find_resumable
from pix2pix.runs.run import Run
from pix2pix.runs.threads import keep_thread_count
from pix2pix.training.build import build_data, build_model, build_trainer, is_of_this_package
from pix2pix.training.callbacks.checkpoint import Checkpoints
from pix2pix.training.initial_weights import load_initial_weights
from pix2pix.training.module import Pix2Pix
from pix2pix.training.output_paths import keep_outputs_in_run
from pix2pix.training.resume import is_extended, is_training_checkpoint, require_compatible, warn_about_schedule

log = logging.getLogger(__name__)

TERMINATED, INTERRUPTED = 143, 130  # the exit codes of programs that SIGTERM and Ctrl-C ended: 128 + 15, 128 + 2


def train(config: Config) -> None:
    """Trains the run that `config` describes, or goes on with it where it stopped.

    Raises:
        ValueError: for a configuration that cannot be run, or another one than the directory holds.
        FileNotFoundError: for data that is not there.
        OSError: when the run directory cannot be written.
    """
    config = completed(config)
    check(config)
    if config["trainer"].get("fast_dev_run"):
        _try_out(config)
        return
    run = Run(config["run_dir"])
    config = keep_outputs_in_run(config, run)
    first = _first_process()  # the others may find the directory half begun
    if config["resume"] == "never" and first and (aside := run.set_aside()):
        log.info("resume=never: the old run was renamed to %s.", aside)
    if first:
        run.set_damaged_provenance_aside()
        run.require_same(config)
        trusted_modules.remember_modules(config)
    data = build_data(config)
    files = data.pairs.inventory()
    if not config["allow_changed_data"]:
        run.require_same_data(files.fingerprint)
        if first and run.resume_checkpoints() and (why := describe_edits(run.data_files, files)):
            raise run.other_data_error(why)
    if (first or config["resume"] != "never") and _is_done(run, config):
        log.info(
            "%s is finished; nothing to do. To train it longer, set a larger trainer.max_epochs. For another run, "
            "choose another name: name=...",
            run.path,
        )
        return
    prepare_process()
    with warnings.catch_warnings():
        _hush_lightning()
        model, trainer = build_model(config), build_trainer(config, run)
        _begin_with(run, model, first=trainer.is_global_zero)
        if not trainer.is_global_zero:
            logging.getLogger("pix2pix").setLevel(logging.ERROR)  # one speaks for all
            trainer.strategy.setup_environment()  # waits for it: what there is to resume is known when it has begun
            _fit(trainer, model, data, run)
            return
        with run.open_session(config, files.fingerprint) as unfinished:
            if unfinished:
                record_inventory(
                    run.data_files, files, anew=config["allow_changed_data"] or not run.resume_checkpoints()
                )
                del files  # of a million pairs it takes a hundred megabytes
                _advise(model.generator, config)
                if not _fit(trainer, model, data, run):
                    return
                _require_saved(trainer, run)
                run.finish(_best(trainer))
        log.info("Finished. Look at %s, or run: pix2pix evaluate %s", run.path / "samples", run.path)


def _try_out(config: Config) -> None:
    """Lightning's `fast_dev_run`: a few batches of training and validation. Nothing of it is kept, not the name."""
    callbacks = {
        name: part for name, part in config["callbacks"].items() if not issubclass(locate(part[TARGET]), Checkpoints)
    }
    prepare_process()
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        _hush_lightning()
        run = Run(Path(folder) / "run")
        tried = config | {"callbacks": callbacks, "logger": {}, "run_dir": str(run.path), "resume": "auto"}
        model, trainer = build_model(tried), build_trainer(tried, run)
        _fit(trainer, model, build_data(tried), run)
        batches = int(config["trainer"]["fast_dev_run"])
    log.info("trainer.fast_dev_run=%s: as many batches went through. Nothing is kept of it.", batches)


def prepare_process() -> None:
    """What makes the steps of this process faster, and none of their numbers different."""
    keep_freed_memory()
    # Deterministic algorithms would fill all new memory with NaN, to show what reads it unwritten: a seventh of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]


def _first_process() -> bool:
    return getattr(rank_zero_only, "rank", 0) in {0, None}


def _is_done(run: Run, config: Config) -> bool:
    """Whether there is nothing left to train. Asked twice, as the first process may begin it again meanwhile."""
    return run.is_finished() and not is_extended(run, config) and run.is_finished()


def _begin_with(run: Run, model: Pix2Pix, *, first: bool) -> None:
    """Gives a new training the weights of `init_from`; raises ValueError where it cannot begin, or go on.

    All before anything is written: a mistake in a path spends no name.
    """
    config, given = model.config, _given(model.config["resume"])
    if own := next(filter(is_training_checkpoint, run.resume_checkpoints()), None):
        so_far = require_compatible(own, model, config)
        if first:
            warn_about_schedule(run, so_far, run.config(), config)
    elif given and not run.resume_checkpoints():
        require_compatible(given, model, config, given=True)
    elif config["init_from"] and not run.resume_checkpoints():
        load_initial_weights(config["init_from"], model)


def _fit(trainer: pl.Trainer, model: Pix2Pix, data: PairDataModule, run: Run) -> bool:
    """Trains to the end; False where the time it was given ended before."""
    with keep_thread_count(run, trainer):
        return _fitted(trainer, model, data, run)


def _fitted(trainer: pl.Trainer, model: Pix2Pix, data: PairDataModule, run: Run) -> bool:
    config, given = model.config, _given(model.config["resume"])
    checkpoint = find_resumable(run, instead=given)
    so_far = checkpoint and require_compatible(checkpoint, model, config, given=checkpoint == given)
    if trainer.is_global_zero:
        _say_where(run, config, checkpoint)
        if checkpoint is None and not config["init_from"]:
            _say_of_weights(model)
        if checkpoint and so_far:
            run.note_resumed_from(checkpoint, so_far.steps)
    try:
        trainer.fit(model, data, ckpt_path=checkpoint, weights_only=True)
    except TimeLimitReached:
        log.info(
            "Stopped: the time limit is reached. Run the same command again to resume %s from its last checkpoint.",
            run.path,
        )
        return False
    except (TrainingInterrupted, SIGTERMException, KeyboardInterrupt) as stopped:
        raise _stopped(run, stopped) from stopped
    except (RuntimeError, MemoryError) as error:
        if trainer.received_sigterm:  # loader workers may get the signal, too, and complain first
            raise _stopped(run, error) from error
        if not _out_of_memory(error):
            raise
        raise ValueError(_lower_what(config, error)) from error
    return True


def _given(resume: str) -> Path | None:
    """The checkpoint given as `resume=PATH`, for continuing a training from another run."""
    return None if resume in {"auto", "never"} else Path(resume)


def _stopped(run: Run, why: BaseException) -> SystemExit:
    log.info("Stopped. Run the same command again to resume %s from its last checkpoint.", run.path)
    interrupted = isinstance(why, KeyboardInterrupt)
    return SystemExit(why.code if isinstance(why, TrainingInterrupted) else INTERRUPTED if interrupted else TERMINATED)


def _out_of_memory(error: Exception) -> bool:
    kinds = (MemoryError, torch.OutOfMemoryError)
    return isinstance(error, kinds) or "can't allocate memory" in str(error)  # torch's words on the CPU


def _lower_what(config: Config, error: Exception) -> str:
    data = config["data"]
    return (
        f"out of memory with data.batch_size={data['batch_size']} at {data['height']}x{data['width']} "
        f"({str(error).splitlines()[0] if str(error) else 'the system gives no more'}). What was saved is kept. Under "
        "another name, lower data.batch_size, data.size or generator.base_channels, or set precision=bf16-mixed."
    )


def _say_where(run: Run, config: Mapping[str, Any], checkpoint: Path | None) -> None:
    if checkpoint is not None:
        log.info("%s is unfinished: going on from %s", run.path, checkpoint)
    else:
        log.info("Training %s (%s).", run.path, _what(config))
    log.info("It runs on %s.", in_words(picked(config["trainer"], config["precision"]), config["precision"]))


def _say_of_weights(model: Pix2Pix) -> None:
    for player, network in (("generator", model.generator), ("discriminator", model.discriminator)):
        if network is not None and not is_of_this_package(network):
            name = type(network).__qualname__
            log.info("The %s, %s, begins with the weights that it is constructed with.", player, name)


def _what(config: Mapping[str, Any]) -> str:
    data, (epochs, steps) = config["data"], ends(dict(config))
    length = [f"max_epochs={epochs}"] * (not math.isinf(epochs)) + [f"max_steps={steps}"] * (not math.isinf(steps))
    return f"{data['name']} {data['direction']}, {data['height']}x{data['width']}; {' '.join(length) or 'without end'}"


def _advise(generator: nn.Module, config: Config) -> None:
    said = suggest_sizes(config["data"]["height"], config["data"]["width"])
    if said and isinstance(generator, UNet):
        log.warning(said)


def _best(trainer: pl.Trainer) -> dict[str, float]:
    return {keeper.monitor: keeper.best for keeper in _keepers(trainer) if keeper.best is not None}


def _keepers(trainer: pl.Trainer) -> list[Checkpoints]:
    return [callback for callback in trainer.checkpoint_callbacks if isinstance(callback, Checkpoints)]


def _require_saved(trainer: pl.Trainer, run: Run) -> None:
    """Raises ValueError where there was nothing to train, and so nothing to save."""
    if _keepers(trainer) and not run.resume_checkpoints():
        limits = ("max_epochs", "max_steps", "limit_train_batches")
        raise ValueError(
            f"{run.path}: no step was trained, so no checkpoint was saved. See "
            + ", ".join(f"trainer.{name}={getattr(trainer, name)}" for name in limits)
            + ", and with resume=PATH how far that checkpoint is. The run stays unfinished."
        )


def _hush_lightning() -> None:
    """Leaves out what Lightning says to everyone and nobody here can act on."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    for asked_for in ("profilers", "callbacks.model_summary"):
        logging.getLogger(f"pytorch_lightning.{asked_for}").setLevel(logging.INFO)
    warnings.filterwarnings("ignore", ".*does not have many workers.*", PossibleUserWarning)
    warnings.filterwarnings("ignore", ".*is smaller than the logging interval.*", PossibleUserWarning)
    warnings.filterwarnings("ignore", ".*callbacks used to create the checkpoint need to be provided.*", UserWarning)
    warnings.filterwarnings("ignore", ".*exists and is not empty.*", UserWarning)
    warnings.filterwarnings("ignore", ".*`srun` command is available.*", PossibleUserWarning)
    warnings.filterwarnings("ignore", ".*in eval mode at the start of training.*", PossibleUserWarning)
    warnings.filterwarnings("ignore", ".*LeafSpec.*")
