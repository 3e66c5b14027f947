"""Builds the learning-rate schedules of a configuration, and checks them before anything runs."""

import math

from pix2pix.config.metric_names import find_mode, higher_is_better
from pix2pix.config.schema import RunConfig
from pix2pix.core.instantiate import Component, build, names_kind
from pix2pix.models.schedules import PlateauDecay, Schedule


def build_schedules(config: RunConfig) -> dict[str, Schedule]:
    """The schedule of each network that is trained."""
    return {network: build(_with_mode(schedule, config)) for network, schedule in config.schedules.items()}


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


def _with_mode(schedule: Component, config: RunConfig) -> Component:
    """A schedule that follows a metric, with the direction in which that improves."""
    if not names_kind(schedule, PlateauDecay):
        return schedule
    monitor = schedule.get("monitor", PlateauDecay.monitor)
    mode = find_mode(monitor, schedule.get("mode"), config.metrics)
    return schedule | {"mode": "max" if higher_is_better(monitor, mode, setting="schedule.mode") else "min"}
