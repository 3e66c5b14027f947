"""Runs Lightning's fit for a run: from its newest checkpoint, and with what ends a training before its end."""

import logging
import traceback
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.utilities.exceptions import SIGTERMException

from pix2pix.config.schema import RunConfig
from pix2pix.core.errors import is_out_of_memory
from pix2pix.core.signals import TimeLimitReached, TrainingInterrupted
from pix2pix.data.datamodule import PairDataModule
from pix2pix.runs.checkpoints import find_resumable
from pix2pix.runs.progress import unusable_state_error
from pix2pix.runs.run import Run
from pix2pix.runs.threads import keep_thread_count
from pix2pix.training.loggers.base import log_settings
from pix2pix.training.messages import (
    announce_data,
    announce_own_weights,
    announce_training,
    out_of_memory_message,
)
from pix2pix.training.module import Pix2Pix
from pix2pix.training.resume import require_compatible

log = logging.getLogger(__name__)

RESTORING = "pytorch_lightning.trainer.connectors.checkpoint_connector"
RESTORERS = {"pix2pix", "pytorch_lightning", "lightning_fabric", "torch", "packaging"}
TERMINATED, INTERRUPTED = 143, 130  # the exit codes of programs that SIGTERM and Ctrl-C ended: 128 + 15, 128 + 2


def find_given_checkpoint(config: RunConfig) -> Path | None:
    """The checkpoint given as `resume=PATH`, for continuing a training from another run."""
    return None if config.resume in {"auto", "never"} else Path(config.resume)


def fit(trainer: pl.Trainer, model: Pix2Pix, data: PairDataModule, config: RunConfig, run: Run) -> bool:
    """Trains to the end; False if the time limit passed before.

    Raises:
        SystemExit: with the exit code of the signal that stopped the training.
        ValueError: if memory ran out, or the checkpoint does not fit.
    """
    with keep_thread_count(run, trainer):
        checkpoint = _announce_start(trainer, model, data, config, run)
        return _fit_from_checkpoint(trainer, model, data, config, run, checkpoint)


def _announce_start(
    trainer: pl.Trainer, model: Pix2Pix, data: PairDataModule, config: RunConfig, run: Run
) -> Path | None:
    """Logs what is trained from where, and returns the checkpoint to resume from."""
    elsewhere = find_given_checkpoint(config)
    checkpoint = find_resumable(run, fallback=elsewhere)
    progress = checkpoint and require_compatible(checkpoint, model, config, is_elsewhere=checkpoint == elsewhere)
    if trainer.is_global_zero:
        announce_training(run, config, checkpoint)
        log_settings(trainer.loggers, config)
        announce_data(data.pairs)
        if checkpoint is None and not config.init_from:
            announce_own_weights(model.generator, model.discriminator)
        if checkpoint and progress:
            run.record_resumption(checkpoint, progress.steps)
    return checkpoint


def _fit_from_checkpoint(
    trainer: pl.Trainer, model: Pix2Pix, data: PairDataModule, config: RunConfig, run: Run, checkpoint: Path | None
) -> bool:
    try:
        trainer.fit(model, data, ckpt_path=checkpoint, weights_only=True)
    except TimeLimitReached:
        _log_stop("Stopped: the time limit is reached.", run)
        return False
    except (TrainingInterrupted, SIGTERMException, KeyboardInterrupt) as cause:
        _log_stop("Stopped.", run)
        raise SystemExit(_exit_code(cause)) from cause
    except Exception as error:
        is_of_system = isinstance(error, RuntimeError | MemoryError)
        if (
            is_of_system and trainer.received_sigterm
        ):  # loader workers may get the signal, too, and fail before this process does
            _log_stop("Stopped.", run)
            raise SystemExit(TERMINATED) from error
        if is_of_system and is_out_of_memory(error):
            raise ValueError(out_of_memory_message(config, error)) from error
        if checkpoint and _is_of_restoring(error):
            raise unusable_state_error(checkpoint, f"{type(error).__name__}: {error}") from error
        raise
    return True


def _is_of_restoring(error: Exception) -> bool:
    """Whether Lightning raised it while it restored a checkpoint, and not from code of the user's own."""
    modules = [str(frame.f_globals.get("__name__")) for frame, _ in traceback.walk_tb(error.__traceback__)]
    return RESTORING in modules and {module.partition(".")[0] for module in modules} <= RESTORERS


def _log_stop(reason: str, run: Run) -> None:
    log.info("%s Run the same command again to resume %s from its last checkpoint.", reason, run.path)


def _exit_code(cause: BaseException) -> int:
    if isinstance(cause, TrainingInterrupted):
        assert isinstance(cause.code, int)
        return cause.code
    if isinstance(cause, KeyboardInterrupt):
        return INTERRUPTED
    return TERMINATED
