"""Checks whether a training can resume from a checkpoint."""

import contextlib
import logging
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from pix2pix.config.saved import config_in_weights
from pix2pix.config.schedules import build_schedules
from pix2pix.config.schema import NETWORKS, RunConfig
from pix2pix.core.instantiate import TARGET
from pix2pix.core.integrity import require_intact
from pix2pix.models.schedules import Unit
from pix2pix.runs.progress import (
    TrainingProgress,
    read_progress,
    read_training_checkpoint,
    require_file,
    too_short_error,
    unusable_state_error,
)
from pix2pix.runs.run import Run

log = logging.getLogger(__name__)

PREFIXES = ("generator.", "discriminator.", "average.")
SHOWN = 3  # differences that a message names
# What torch's optimizers keep of each weight, in the shape of the weights. Other optimizers may keep other shapes.
ELEMENTWISE = {"exp_avg", "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer", "square_avg", "grad_avg"}


def keep_recorded_splits(run: Run, config: RunConfig) -> RunConfig:
    """The configuration with the validation pairs that a run of an earlier version had, if it continues such a run."""
    source = config.data.source
    if config.resume == "never" or source.get("val_share") is None:
        return config
    earlier = [run] if config.resume == "auto" else [run, Run(Path(config.resume).parent.parent)]
    recorded = next((each.config() for each in earlier if each.config_file.is_file()), None)
    if recorded is None or recorded.data.val_share is not None:
        return config
    log.info("%s keeps the validation pairs that it had: those of earlier versions (data.val_share=null).", run.path)
    return config.replace(data=config.data.replace(val_share=None, source={**source, "val_share": None}))


def require_compatible(
    path: Path, model: nn.Module, config: RunConfig, *, is_elsewhere: bool = False
) -> TrainingProgress:
    """Checks that a training can go on from a checkpoint, and returns how far the checkpoint has got.

    Args:
        path: the checkpoint.
        model: the module that continues the training.
        config: its configuration.
        is_elsewhere: whether `resume` names the checkpoint, which then belongs to another run.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when the file is no such checkpoint, belongs to other networks, or is beyond the end of `config`.
    """
    try:
        return _check_compatible(path, model, config, is_elsewhere)
    except (ValueError, FileNotFoundError) as error:
        raise type(error)(f"resume={error}" if is_elsewhere else str(error)) from error


def _check_compatible(path: Path, model: nn.Module, config: RunConfig, is_elsewhere: bool) -> TrainingProgress:
    if is_elsewhere:  # a run's own checkpoints are verified when the newest one is chosen
        require_file(path)
        require_intact(path)
    content = read_training_checkpoint(path)
    try:
        there = config_in_weights(content["config"], path)
        # All differences are reported together, because users would need many attempts to find them one by one.
        found = [*_differing_weights(content["state_dict"], model), *_differing_optimizers(there, config)]
        progress = read_progress(content)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: is not a checkpoint of `pix2pix train` ({error!r}).") from error
    if found:
        more = f"\n  and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise ValueError(
            "\n".join([f"{path}: is the training of other networks or optimizers:", *(f"  {s}" for s in found[:SHOWN])])
            + f"{more}\nUse its settings; or start a new run from those of its weights that fit: "
            f"name=... init_from={path}"
        )
    with contextlib.suppress(LookupError, TypeError, AttributeError):  # the optimizer that loads rubbish says so
        _require_fitting_states(content["optimizer_states"], model, path)
    # A run whose own checkpoint is at the end is finished, which is no error. From another run's, nothing would train.
    if progress.is_past(config.limits) or (progress.is_at(config.limits) and is_elsewhere):
        raise too_short_error(path, progress, config)
    return progress


def _differing_weights(theirs: Mapping[str, Any], model: nn.Module) -> Iterator[str]:
    ours, there = (
        {name: tuple(value.shape) for name, value in state.items() if name.startswith(PREFIXES)}
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


def _require_fitting_states(states: Any, model: nn.Module, path: Path) -> None:
    """Raises ValueError if an optimizer's state has other shapes than its weights, which torch does not look at."""
    for network, state in zip(NETWORKS, states, strict=False):
        for index, weights in enumerate(getattr(model, network).parameters()):
            kept = state["state"].get(index, {})
            for name in sorted(ELEMENTWISE & kept.keys()):
                if isinstance(kept[name], Tensor) and kept[name].shape != weights.shape:
                    shapes = f"{tuple(kept[name].shape)}, and the weights have {tuple(weights.shape)}"
                    raise unusable_state_error(path, f"{name} of the {network}'s optimizer has the shape {shapes}")


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
    epochs, steps = config.limits
    batches = so_far.steps / so_far.started_epochs if so_far.started_epochs else math.inf
    if unit == "step":
        return min(steps, epochs * batches)
    return epochs if math.isfinite(epochs) or math.isinf(steps) else math.ceil(steps / batches)
