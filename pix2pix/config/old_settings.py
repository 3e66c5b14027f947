"""Settings that have been renamed: the one table of their earlier names.

Saved configurations of earlier runs are brought up to date by it. Whoever still types an earlier name is told the
present one.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pix2pix.core.instantiate import TARGET, is_component

SETTINGS = {
    "step": "execution",
    "data.pairs": "data.source",
    "data.labels": "data.label_map",
    "callbacks.watch": "callbacks.nan_guard",
    "callbacks.diagnosis": "callbacks.collapse_monitor",
}
"""Earlier and present names of settings. A callback keeps its name where it is none of this package."""

ARGUMENTS = {
    "pix2pix.data.JitterAndMirror": {"labels": "label_map"},
    "pix2pix.data.PairFolder": {"labels": "label_map"},
    "pix2pix.data.ShardedPairs": {"labels": "label_map"},
    "pix2pix.models.EncoderDecoder": {"noise": "dropout_placement"},
    "pix2pix.models.UNet": {"noise": "dropout_placement"},
    "pix2pix.training.callbacks.CollapseMonitor": {"likeness": "min_variation"},
}
"""Earlier and present names of arguments, by class."""


DECAY = "optimizer.decay_epochs"
"""In earlier versions the only schedule. 0 was the constant rate."""

TRAINER = {"max_steps": -1, "val_check_interval": 1.0}
"""What earlier versions left to Lightning, as Lightning takes it."""


def update_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of an earlier version as those of today; classes must have their present names already."""
    updated = _move_decay(update_setting_names(settings))
    trainer = updated.get("trainer")
    if isinstance(trainer, Mapping) and trainer.get(TARGET) == "pytorch_lightning.Trainer":
        updated["trainer"] = dict(trainer) | {name: v for name, v in TRAINER.items() if name not in trainer}
        # The trainer's own precision counts, where somebody set that in place of `precision`.
        if (chosen := trainer.get("precision")) is not None and "precision" in updated:
            updated["precision"] = chosen
    return updated


def _move_decay(settings: dict[str, Any]) -> dict[str, Any]:
    optimizer = settings.get("optimizer")
    if "schedule" in settings or not isinstance(optimizer, Mapping) or "decay_epochs" not in optimizer:
        return settings
    decay = optimizer["decay_epochs"]
    linear = {TARGET: "pix2pix.models.LinearDecay", "unit": "epoch", "warmup": 0, "decay": decay}
    rest = {name: value for name, value in optimizer.items() if name != "decay_epochs"}
    return settings | {"optimizer": rest} | ({"schedule": linear} if decay else {})


def update_setting_names(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The settings under their present names and in their order; classes must have theirs already.

    If an earlier name stands beside the present one, the user has typed it: it is left for `find_old_names`.
    """
    arguments = _renamed_arguments(settings)
    updated: dict[str, Any] = {}
    for name, value in settings.items():
        present = arguments.get(name) or _present_setting(f"{prefix}{name}", value)
        key = present if present and present not in settings else name
        below = f"{prefix}{key}."
        updated[key] = update_setting_names(value, below) if isinstance(value, Mapping) else value
    return updated


def _present_setting(key: str, value: Any) -> str | None:
    """The last part of a setting's present name, where the key is an earlier one."""
    if key.startswith("callbacks.") and is_component(value) and not str(value[TARGET]).startswith("pix2pix."):
        return None
    return SETTINGS[key].rpartition(".")[2] if key in SETTINGS else None


def find_old_names(settings: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yields a message for each setting that is given by its earlier name."""
    arguments = _renamed_arguments(settings)
    for name, value in settings.items():
        key, present = f"{prefix}{name}", arguments.get(name) or _present_setting(f"{prefix}{name}", value)
        if present:
            yield f"{key} is now {prefix}{present}."
        elif key == DECAY:
            yield describe_renamed(key, "schedule.decay")
        elif isinstance(value, Mapping):
            yield from find_old_names(value, f"{key}.")


def find_new_name(key: str) -> str | None:
    """The present name for an earlier one, as typed or in the name of a sweep's directory; None for other names.

    The name of a configuration group, `data/pairs`, is a setting's as well.
    """
    dotted, mark = key.lstrip("+~").replace("/", "."), "/" if "/" in key else "."
    for earlier, present in (SETTINGS | _typed_arguments() | {DECAY: "schedule.decay"}).items():
        if dotted == earlier or dotted.startswith(f"{earlier}."):
            rest = dotted.removeprefix(earlier)
            renamed = find_new_name(f"{present}{rest}") or f"{present}{rest}"
            return renamed.replace(".", mark)
    return None


def describe_renamed(key: str, present: str) -> str:
    """The message for a setting that was typed by its earlier name."""
    return f"{key} is now {present}" + (", a setting of schedule=linear." if key.lstrip("+~") == DECAY else ".")


def _renamed_arguments(part: Mapping[str, Any]) -> Mapping[str, str]:
    target = part.get(TARGET)
    return ARGUMENTS.get(target, {}) if isinstance(target, str) else {}


def _typed_arguments() -> dict[str, str]:
    """The arguments by the dotted names under which they are usually set."""
    return {
        "generator.noise": "generator.dropout_placement",
        "data.source.labels": "data.source.label_map",
        "data.transform.labels": "data.transform.label_map",
        "callbacks.collapse_monitor.likeness": "callbacks.collapse_monitor.min_variation",
    }
