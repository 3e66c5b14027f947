"""Which settings define a run, and which only say where things are and how they are executed."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

# Where things lie may change when a run or its data are moved; the fingerprint tells whether the data are the same.
WHEREABOUTS = {"output_dir", "run_dir", "data.root", "data.path", "data.list", "data.source.path"}
WHEREABOUTS |= {"resume", "allow_changed_data"}  # how it is resumed is not what it is
WHEREABOUTS |= {"data.num_workers", "data.cache", "data.cache_dir", "data.cache_gigabytes"}  # no pixel depends on these
WHEREABOUTS |= {"data.source_size"}  # measured of the data, which the fingerprint tells apart
WHEREABOUTS |= {
    "execution.cuda_graph",
    "execution.channels_last",
    "execution.validation_batch",
}  # nor any number, but for its rounding
LEFT_OPEN = (None, "auto")  # values of these settings that decide nothing: the machine does, when a run starts
DECIDED_AT_START = {"precision", "trainer.precision"}
LABELS = {"tags", "notes"}  # what is said about a run
# A run may be resumed on other devices, and says what that changes; `data.batch_size` may keep the pairs of a step.
DEVICES = {"accelerator", "devices", "num_nodes", "strategy", "deterministic", "benchmark"}


def hide_whereabouts(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The settings for others to read: folders of this machine by name alone, no loggers, tags or notes."""
    return {
        key: {}
        if f"{prefix}{key}" == "logger"
        else hide_whereabouts(value, f"{prefix}{key}.")
        if isinstance(value, dict)
        else Path(value).name
        if f"{prefix}{key}" in WHEREABOUTS and isinstance(value, str)
        else value
        for key, value in settings.items()
        if f"{prefix}{key}" not in LABELS
    }


def flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The settings of a tree by their dotted names."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
