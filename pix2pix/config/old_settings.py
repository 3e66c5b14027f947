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


def update_setting_names(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The settings under their present names and in their order; classes must have theirs already.

    An earlier name beside the present one is left for `find_old_names`: somebody typed it.
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
    """A sentence for each setting that has its earlier name."""
    arguments = _renamed_arguments(settings)
    for name, value in settings.items():
        key, present = f"{prefix}{name}", arguments.get(name) or _present_setting(f"{prefix}{name}", value)
        if present:
            yield f"{key} is now {prefix}{present}."
        elif isinstance(value, Mapping):
            yield from find_old_names(value, f"{key}.")


def present_name(key: str) -> str | None:
    """The present name of a setting that somebody typed or that names a sweep's directory; None where it has no other.

    The name of a configuration group, `data/pairs`, is a setting's as well.
    """
    dotted, mark = key.lstrip("+~").replace("/", "."), "/" if "/" in key else "."
    for earlier, present in (SETTINGS | _typed_arguments()).items():
        if dotted == earlier or dotted.startswith(f"{earlier}."):
            rest = dotted.removeprefix(earlier)
            renamed = present_name(f"{present}{rest}") or f"{present}{rest}"
            return renamed.replace(".", mark)
    return None


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
