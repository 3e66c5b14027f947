"""How far a training has got, read from its checkpoints, and whether a finished run is to be trained further."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from pix2pix.core.integrity import describe_unreadable
from pix2pix.runs.errors import damaged_checkpoints_error
from pix2pix.runs.run import Run

if TYPE_CHECKING:
    from pix2pix.config.schema import RunConfig

# What the checkpoint of a training holds besides the weights.
REQUIRED_KEYS = {"callbacks", "config", "epoch", "global_step", "loops", "optimizer_states", "state_dict"}


class TrainingProgress(NamedTuple):
    """How far a training has got: complete epochs, started epochs, training steps."""

    epochs: int
    started_epochs: int
    steps: int

    def is_past(self, end: tuple[float, float]) -> bool:
        """Whether it is beyond an end, given in epochs and steps."""
        return self.started_epochs > end[0] or self.steps > end[1]

    def is_at(self, end: tuple[float, float]) -> bool:
        """Whether nothing is left to train up to an end."""
        return self.epochs >= end[0] or self.steps >= end[1]

    def __str__(self) -> str:
        return f"{self.epochs} epochs ({self.steps} steps)"


def is_complete_for(run: Run, config: "RunConfig") -> bool:
    """Whether the run is finished and `config` does not train it further. Such a run is left alone.

    Raises:
        ValueError: as `require_no_shorter_end`.
    """
    require_no_shorter_end(run, config)
    # `is_finished` is read twice: another process may reopen the run in between.
    return run.is_finished() and not _is_extended(run, config) and run.is_finished()


def require_no_shorter_end(run: Run, config: "RunConfig") -> None:
    """Raises ValueError if a finished run would get a shorter training, or has no checkpoint to continue from."""
    if not run.is_finished() or run.config().stop_conditions == config.stop_conditions:
        return
    if not run.resume_checkpoints():
        raise ValueError(
            f"{run.path}: is finished, and has no last.ckpt to train it longer from. Restore that file; or start a "
            f"new run from its weights: name=... init_from={run.path}"
        )
    progress = _read_last_progress(run)
    if progress.is_past(config.limits):
        raise too_short_error(run.path, progress, config)


def _is_extended(run: Run, config: "RunConfig") -> bool:
    """Whether `config` trains a finished run further.

    If a callback such as EarlyStopping ended a run before its limits, the run continues without it or with another.
    """
    before = run.config()
    if before.stop_conditions == config.stop_conditions or _read_last_progress(run).is_at(config.limits):
        return False
    has_larger_limit = any(new > old for new, old in zip(config.limits, before.limits, strict=True))
    return has_larger_limit or before.limits == config.limits


def _read_last_progress(run: Run) -> TrainingProgress:
    """The progress of the newest checkpoint that a training goes on from. Raises ValueError if there is none."""
    checkpoints = run.resume_checkpoints()
    newest = next(filter(is_training_checkpoint, checkpoints), None)
    if newest is None and len(checkpoints) > 1:
        raise damaged_checkpoints_error(run.path, checkpoints)
    return read_progress(read_training_checkpoint(newest or checkpoints[0]))  # the error of the only one says more


def too_short_error(path: Path, progress: TrainingProgress, config: "RunConfig") -> ValueError:
    """The error for limits that a training has already reached."""
    limits = zip(("max_epochs", "max_steps"), config.limits, (progress.started_epochs, progress.steps), strict=True)
    reached = " and ".join(f"trainer.{name}={config.trainer[name]}" for name, limit, done in limits if done >= limit)
    return ValueError(
        f"{path}: was trained for {progress} already, and {reached} asks for no more. Training cannot be undone: "
        "set a larger value, or start a new run with name=..."
    )


def is_training_checkpoint(path: Path) -> bool:
    """Whether a file is the checkpoint of a training. Its tensors are not read."""
    try:
        return bool(read_training_checkpoint(path))
    except (ValueError, OSError):
        return False


def read_training_checkpoint(path: Path) -> dict[str, Any]:
    """The checkpoint of a training, without reading its tensors.

    Raises:
        FileNotFoundError: if there is no file at `path`.
        ValueError: if the file is not such a checkpoint.
    """
    require_file(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # torch raises many types for damaged files
        raise ValueError(f"{path}: cannot be read as a checkpoint ({describe_unreadable(path, error)}).") from error
    if not isinstance(content, dict) or "state_dict" not in content:
        raise ValueError(f"{path}: is not a checkpoint of `pix2pix train`.")
    if lacking := REQUIRED_KEYS - content.keys():
        raise ValueError(
            f"{path}: holds weights, but no state to resume a training from: {', '.join(sorted(lacking))} are missing. "
            f"To start a new run from its weights: name=... init_from={path}"
        )
    _require_progress(content, path)
    return content


def _require_progress(content: Mapping[str, Any], path: Path) -> None:
    """Raises ValueError unless the checkpoint says in whole numbers how far the training has got."""
    try:
        numbers: tuple[Any, ...] = read_progress(content)
        problem = "" if all(type(number) is int and number >= 0 for number in numbers) else f"it says {numbers}"
    except (LookupError, TypeError, AttributeError) as error:
        problem = f"{type(error).__name__}: {error}"
    if problem:
        raise unusable_state_error(path, f"how far the training has got cannot be read of it, {problem}")


def unusable_state_error(path: Path, reason: str) -> ValueError:
    """The error for a checkpoint of which weights may be sound, but not the state of the training."""
    return ValueError(
        f"{path}: a training cannot go on from it: {reason}. It was damaged, or another program wrote it. Restore a "
        "copy; or resume from another checkpoint under another name: name=... resume=PATH; or start a new run from its "
        f"weights: name=... init_from={path}"
    )


def require_file(path: Path) -> None:
    """Raises ValueError for a directory, and FileNotFoundError if there is nothing at `path`."""
    if path.is_dir():
        last = f"{Run(path).last_checkpoint}" if Run(path).config_file.is_file() else "one of its files"
        raise ValueError(f"{path}: is a directory, no checkpoint. Give {last}.")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint. Give auto, never, or the path of a checkpoint.")


def read_progress(content: Mapping[str, Any]) -> TrainingProgress:
    """How far the training of a checkpoint has got."""
    loop = content["loops"]["fit_loop"]
    epochs, batches = loop["epoch_progress"]["current"], loop["epoch_loop.batch_progress"]
    # In a checkpoint at the end of an epoch, or where max_steps ended it, the epoch is processed but not yet completed.
    complete = epochs["processed"] if batches["is_last_batch"] else epochs["completed"]
    within = batches["current"]["completed"] > 0 and not batches["is_last_batch"]
    return TrainingProgress(complete, complete + within, content["global_step"])
