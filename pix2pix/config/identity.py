"""Flattens a configuration, and tells settings that define a run from those that only say where things are."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Config = dict[str, Any]
# Where things lie may change when a run or its data are moved; the fingerprint tells whether the data are the same.
WHEREABOUTS = {"output_dir", "run_dir", "data.root", "data.path", "data.pairs.path"}
WHEREABOUTS |= {"resume", "allow_changed_data"}  # how it goes on is not what it is
WHEREABOUTS |= {"data.num_workers", "data.cache", "data.cache_dir", "data.cache_gigabytes"}  # no pixel depends on these
WHEREABOUTS |= {"step.cuda_graph", "step.channels_last"}  # nor any number, but for its rounding
# A run may go on upon other devices, and says what that changes; `data.batch_size` may then keep the pairs of a step.
DEVICES = {"accelerator", "devices", "num_nodes", "strategy", "deterministic", "benchmark"}


def ends(config: Config) -> tuple[float, float]:
    """The epochs and the steps after which the training ends, infinite where there is no such end."""
    trainer = config.get("trainer", {})
    epochs, steps = trainer.get("max_epochs"), trainer.get("max_steps", -1)
    if epochs is None and steps == -1:
        epochs = 1000  # as Lightning has it
    return math.inf if epochs is None or epochs == -1 else epochs, math.inf if steps == -1 else steps


def pairs_of_a_step(config: Config) -> int | None:
    """Pairs in a training step over all processes; None where the number of processes depends on the machine."""
    trainer, batch = config.get("trainer", {}), config.get("data", {}).get("batch_size")
    devices = trainer.get("devices", 1)
    numbers = (batch, 1 if devices == "auto" else devices, trainer.get("num_nodes", 1))  # trainer=auto takes one
    return math.prod(numbers) if all(isinstance(number, int) and number > 0 for number in numbers) else None


def without_whereabouts(config: Config, prefix: str = "") -> Config:
    """The configuration for others to read: folders of this machine by name alone, no loggers."""
    return {
        key: {}
        if f"{prefix}{key}" == "logger"
        else without_whereabouts(value, f"{prefix}{key}.")
        if isinstance(value, dict)
        else Path(value).name
        if f"{prefix}{key}" in WHEREABOUTS and isinstance(value, str)
        else value
        for key, value in config.items()
    }


def flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The settings of a tree by their dotted names."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
