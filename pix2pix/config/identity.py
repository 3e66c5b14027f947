"""Which settings define a run, and which only say where things are and how they are executed."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

# Settings that do not define a run. Paths change when a run or its data are moved; the fingerprint compares the data.
IGNORED_SETTINGS = {"output_dir", "run_dir", "data.root", "data.path", "data.list", "data.source.path"}
IGNORED_SETTINGS |= {"resume", "allow_changed_data"}  # say how a run is resumed
IGNORED_SETTINGS |= {"data.num_workers", "data.cache", "data.cache_dir", "data.cache_gigabytes"}  # change no pixel
IGNORED_SETTINGS |= {"data.source_size"}  # measured from the data, which the fingerprint compares
# These change no number, but its rounding.
IGNORED_SETTINGS |= {"execution.cuda_graph", "execution.channels_last", "execution.validation_batch"}
LEFT_OPEN = (None, "auto")  # values of these settings that decide nothing: the machine does, when a run starts
DECIDED_AT_START = {"precision", "trainer.precision"}
LABELS = {"tags", "notes"}  # the user's own words about a run
# A run may be resumed on other devices, and says what that changes; `data.batch_size` may keep the pairs of a step.
DEVICES = {"accelerator", "devices", "num_nodes", "strategy", "deterministic", "benchmark"}


def hide_local_paths(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The settings for other people: of a path only its last part, and no loggers, tags or notes."""
    shown: dict[str, Any] = {}
    for key, value in settings.items():
        name = f"{prefix}{key}"
        if name in LABELS:
            continue
        if name == "logger":
            shown[key] = {}
        elif isinstance(value, dict):
            shown[key] = hide_local_paths(value, f"{name}.")
        elif name in IGNORED_SETTINGS and isinstance(value, str):
            shown[key] = Path(value).name
        else:
            shown[key] = value
    return shown


def flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The settings of a tree by their dotted names."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
