"""A resolved configuration: what in it makes a run the run it is, and what is only where and by what it is trained."""

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


def differences(there: Config, here: Config) -> Iterator[tuple[str, Any, Any]]:
    """The settings in which two configurations differ, by dotted name.

    Where a run lies is no difference, nor is who watches it: loggers may be added to a run and left out. Nor are the
    devices it is trained on.
    """
    a, b = dict(flat(there)), dict(flat(here))
    same_step = pairs_of_a_step(there) == pairs_of_a_step(here) is not None
    for key in sorted(a.keys() | b.keys()):
        if _part_of_the_run(key, same_step) and a.get(key, "nothing") != b.get(key, "nothing"):
            yield key, a.get(key, "nothing"), b.get(key, "nothing")


def _part_of_the_run(key: str, same_step: bool) -> bool:
    group, name = [*key.split("."), ""][:2]
    of_devices = (group == "trainer" and name in DEVICES) or (key == "data.batch_size" and same_step)
    return key not in WHEREABOUTS and group != "logger" and not of_devices


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
