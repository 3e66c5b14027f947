"""Builds the learning-rate schedules of a configuration, and checks them before anything runs."""

import math

from pix2pix.config.metric_names import find_mode, higher_is_better
from pix2pix.config.schema import RunConfig
from pix2pix.core.instantiate import Component, build
from pix2pix.models.schedules import PlateauDecay, Schedule


def build_schedules(config: RunConfig) -> dict[str, Schedule]:
    """The schedule of each network that is trained."""
    return {network: _build_schedule(schedule, config) for network, schedule in config.schedules.items()}


def require_known_end(config: RunConfig) -> None:
    """Raises ValueError where a schedule does not fit the length of the training, as far as that is known by now.

    How many steps an epoch has is known with the data; `LearningRates.check` asks once more.
    """
    epochs, steps = config.limits
    has_no_end = math.isinf(min(epochs, steps))
    for schedule in build_schedules(config).values():
        end = epochs if schedule.unit == "epoch" else steps
        if has_no_end or math.isfinite(end):
            schedule.check(end)


def _build_schedule(component: Component, config: RunConfig) -> Schedule:
    """Builds a schedule; one that follows a metric is told the direction in which that improves."""
    schedule: Schedule = build(component)
    if isinstance(schedule, PlateauDecay):
        mode = find_mode(schedule.monitor, schedule.mode, config.metrics)
        is_larger = higher_is_better(schedule.monitor, mode, setting="schedule.mode")
        schedule.mode = "max" if is_larger else "min"
    return schedule
