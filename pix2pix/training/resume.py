"""Checks whether a training can resume from a checkpoint, and how far that checkpoint is."""

import logging
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from pix2pix.config.saved import config_in_weights
from pix2pix.config.schedules import build_schedules
from pix2pix.config.schema import RunConfig
from pix2pix.core.instantiate import TARGET
from pix2pix.core.integrity import describe_unreadable, require_intact
from pix2pix.models.schedules import Unit
from pix2pix.runs.run import Run

log = logging.getLogger(__name__)

# What the checkpoint of a training holds besides the weights.
REQUIRED_KEYS = {"callbacks", "config", "epoch", "global_step", "loops", "optimizer_states", "state_dict"}
NETWORKS = ("generator.", "discriminator.", "average.")
SHOWN = 3  # differences that a message names


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


def keep_recorded_splits(run: Run, config: RunConfig) -> RunConfig:
    """The configuration with the validation pairs that a run of an earlier version had, if it continues such a run."""
    earlier = [run] if config.resume == "auto" else [run, Run(Path(config.resume).parent.parent)]
    recorded = next((each.config() for each in earlier if each.config_file.is_file()), None)
    if config.resume == "never" or recorded is None or recorded.data.val_share is not None:
        return config
    source = config.data.source
    if source.get("val_share") is None:
        return config
    log.info("%s keeps the validation pairs that it had: those of earlier versions (data.val_share=null).", run.path)
    return config.replace(data=config.data.replace(val_share=None, source={**source, "val_share": None}))


def is_training_checkpoint(path: Path) -> bool:
    """Whether it is the checkpoint of a training, judged without reading its tensors."""
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
    _require_file(path)
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
    return content


def _require_file(path: Path) -> None:
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


def require_compatible(path: Path, model: nn.Module, config: RunConfig, *, given: bool = False) -> TrainingProgress:
    """How far the training of a checkpoint got, which is to go on with these networks, until this end.

    Args:
        path: the checkpoint.
        model: what is to go on.
        config: its configuration.
        given: whether the checkpoint is what `resume` names, of another run.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it is no such checkpoint, of other networks, or beyond the end.
    """
    try:
        return _check_compatible(path, model, config, given)
    except (ValueError, FileNotFoundError) as error:
        raise type(error)(f"resume={error}" if given else str(error)) from error


def _check_compatible(path: Path, model: nn.Module, config: RunConfig, given: bool) -> TrainingProgress:
    if given:  # of a run's own the newest sound one is chosen
        _require_file(path)
        require_intact(path)
    content = read_training_checkpoint(path)
    try:
        there = config_in_weights(content["config"], path)
        # Everything that differs is collected first, because one sentence at a time would take many attempts.
        found = [*_differing_weights(content["state_dict"], model), *_differing_optimizers(there, config)]
        so_far = read_progress(content)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: is not a checkpoint of `pix2pix train` ({error!r}).") from error
    if found:
        more = f"\n  and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise ValueError(
            "\n".join([f"{path}: is the training of other networks or optimizers:", *(f"  {s}" for s in found[:SHOWN])])
            + f"{more}\nUse its settings; or start a new run from those of its weights that fit: "
            f"name=... init_from={path}"
        )
    # The own checkpoint at its end is a finished run, which is no error. One of another run would train nothing.
    end = config.ends
    if so_far.is_past(end) or (so_far.is_at(end) and given):
        raise ValueError(_too_long_message(path, so_far, config))
    return so_far


def require_end(run: Run, config: RunConfig) -> None:
    """Raises ValueError if a finished run is to be trained for less than it was."""
    if run.is_finished():
        is_extended(run, config)


def is_extended(run: Run, config: RunConfig) -> bool:
    """Whether a finished run is to be trained longer than it was. Raises ValueError if for less.

    A run that a callback ended before its limits, such as EarlyStopping, goes on without that callback or with another.
    """
    there = run.config()
    if there.endings == config.endings:
        return False
    before, now = there.ends, config.ends
    saved = run.resume_checkpoints()
    if not saved:
        raise ValueError(
            f"{run.path}: is finished, and has no last.ckpt to train it longer from. Restore that file; or start a "
            f"new run from its weights: name=... init_from={run.path}"
        )
    so_far = read_progress(read_training_checkpoint(saved[0]))
    if so_far.is_past(now):
        raise ValueError(_too_long_message(run.path, so_far, config))
    return not so_far.is_at(now) and (before == now or any(n > b for n, b in zip(now, before, strict=True)))


def _too_long_message(path: Path, so_far: TrainingProgress, config: RunConfig) -> str:
    # Only the limits that this training has reached already.
    limits = zip(("max_epochs", "max_steps"), config.ends, (so_far.started_epochs, so_far.steps), strict=True)
    asked = " and ".join(f"trainer.{name}={config.trainer[name]}" for name, end, got in limits if got >= end)
    return (
        f"{path}: was trained for {so_far} already, and {asked} asks for no more. Training cannot be undone: "
        "set a larger value, or start a new run with name=..."
    )


def _differing_weights(theirs: Mapping[str, Any], model: nn.Module) -> Iterator[str]:
    ours, there = (
        {name: tuple(value.shape) for name, value in state.items() if name.startswith(NETWORKS)}
        for state in (model.state_dict(), theirs)
    )
    for name in [*ours, *(name for name in there if name not in ours)]:
        a, b = there.get(name, "nothing"), ours.get(name, "nothing")
        if a != b:
            yield f"{name}: {a} there, {b} here"


def _differing_optimizers(there: RunConfig, here: RunConfig) -> Iterator[str]:
    for network, optimizer in here.trained_optimizers.items():
        a, b = there.trained_optimizers.get(network, {}).get(TARGET, "nothing"), optimizer[TARGET]
        if a != b:
            yield f"optimizer.{network}.{TARGET}: {a} there, {b} here"


def warn_about_schedule(run: Run, so_far: TrainingProgress, there: RunConfig, here: RunConfig) -> None:
    """Warns if a new end changes learning rates that depend on the end of the training."""
    for network, schedule in build_schedules(here).items():
        before, now = (_find_end(config, schedule.unit, so_far) for config in (there, here))
        at = so_far.started_epochs if schedule.unit == "epoch" else so_far.steps
        if not schedule.needs_end or not at or before == now or math.isinf(before) or math.isinf(now):
            continue
        # The factors so far and the next one, under the old end and under the new.
        old, new = ([schedule(moment, end) for moment in range(at + 1)] for end in (before, now))
        if old[:at] != new[:at]:  # else this is the schedule of a training with the new end from the start
            log.warning(
                "%s: the learning rate of the %s follows the length of the training (schedule). After %s %d it was "
                "%.3g of the configured one; with the new end, %s %d, it goes on with %.3g. This differs from a single "
                "training of that length, and gives other weights.",
                *(run.path, network, schedule.unit, at, old[at - 1], schedule.unit, now, new[at]),
            )
            return


def _find_end(config: RunConfig, unit: Unit, so_far: TrainingProgress) -> float:
    """The end of a training in epochs or steps, with as many steps in an epoch as it had so far."""
    epochs, steps = config.ends
    batches = so_far.steps / so_far.started_epochs if so_far.started_epochs else math.inf
    if unit == "step":
        return min(steps, epochs * batches)
    return epochs if math.isfinite(epochs) or math.isinf(steps) else math.ceil(steps / batches)
