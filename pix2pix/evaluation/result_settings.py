"""The settings that can change the results of a run. Runs form a group if these are equal, but for the seed."""

from typing import Any

from pix2pix.config.defaults import fill_in_defaults
from pix2pix.config.identity import DEVICES, IGNORED_SETTINGS, LABELS, flatten
from pix2pix.config.schema import RunConfig
from pix2pix.core.instantiate import TARGET
from pix2pix.runs.changes import OBSERVATION_SETTINGS, only_observes

# `inference` observes a training, but changes the pictures that are evaluated.
UNEVALUATED_GROUPS = {"logger", "metrics", "provenance"}


def result_settings(config: RunConfig) -> dict[str, Any]:
    """The settings by their dotted names, with defaults. `data.batch_size` counts the pairs of a step on all devices.

    What a setting changes in the data is not looked at here: the fingerprint of the data tells.
    """
    settings = {key: value for key, value in flatten(fill_in_defaults(config)) if _can_change_results(key, config)}
    return settings | {"data.batch_size": config.pairs_per_step or config.data.batch_size}


def _can_change_results(key: str, config: RunConfig) -> bool:
    if key == "resume":
        return config.resume not in {"auto", "never"}  # a path: it continues the training of another run
    group, name = [*key.split("."), ""][:2]
    if key in IGNORED_SETTINGS | LABELS | {"name"} or group in UNEVALUATED_GROUPS:
        return False
    if group == "trainer":
        # Where the number of devices depends on the machine, the size of a step is not known.
        is_counted = name in DEVICES and config.pairs_per_step is not None
        return name not in OBSERVATION_SETTINGS and not is_counted
    if group == "callbacks":
        return name in config.callbacks and not only_observes(config.callbacks[name][TARGET])
    return True
