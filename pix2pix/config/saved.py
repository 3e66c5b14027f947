"""Reads the configuration that a run or a file of weights has saved; the one place that knows earlier versions.

A saved configuration is anybody's file: plain values, of which nothing is built here.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from pix2pix.config.old_settings import update_settings
from pix2pix.config.parse import parse_config
from pix2pix.config.schema import RunConfig
from pix2pix.core.instantiate import TARGET
from pix2pix.core.old_names import update_class_names
from pix2pix.core.trust import require_plain_settings

# The loader in C takes a tenth of the time, but is not built everywhere.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
PARTS_OF_A_RUN = ("data", "generator", "objective", "optimizer", "trainer")
PARTS_OF_A_GENERATOR = ("data", "generator", "inference")
# Settings without which the pictures of a generator cannot be understood. They have been in every version.
NEEDED = ("name", "direction", "height", "width", "source_channels", "target_channels", "palette", "label_map")
DATA_PARTS = ("source", "transform")
SPLIT_SOURCES = {f"pix2pix.data.{name}" for name in ("PairFolder", "DerivedPairs", "ShardedPairs")}


class UnreadableConfigError(ValueError):
    """A configuration that is damaged, or another program's; the message says why, without the name of the file."""


def read_config(file: Path) -> RunConfig:
    """The configuration in a run's config.yaml.

    Raises:
        UnreadableConfigError: when the file is damaged, or another program's.
        ValueError: when it holds more than plain values.
    """
    return _parse(read_settings(file))


def read_settings(file: Path) -> dict[str, Any]:
    """The settings in a run's config.yaml, under their present names. Raises what `read_config` raises."""
    try:
        settings = yaml.load(file.read_text(encoding="utf-8"), LOADER)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise UnreadableConfigError(f"cannot be read ({first}), it was cut short or damaged") from error
    if not isinstance(settings, dict):
        raise UnreadableConfigError("holds no settings, it was cut short or damaged")
    return _update(settings, file, PARTS_OF_A_RUN)


def config_in_weights(settings: Any, file: Path) -> RunConfig:
    """The configuration that a checkpoint or another file of weights holds. Raises ValueError, naming the file."""
    try:
        return _parse(_update(settings, file, PARTS_OF_A_GENERATOR))
    except UnreadableConfigError as error:
        raise ValueError(f"{file}: its configuration {error}. Copy the file again.") from error


def _update(settings: Any, file: Path, parts: Sequence[str]) -> dict[str, Any]:
    """The settings under their present names. Raises UnreadableConfigError where parts are missing."""
    # Plain values before anything walks through them; present names before anything looks one up.
    require_plain_settings(settings, file)
    settings = update_settings(update_class_names(settings))
    lacking = [part for part in parts if not isinstance(settings.get(part), Mapping)]
    if not lacking:
        data = settings["data"]
        lacking = [f"data.{name}" for name in NEEDED if name not in data]
        lacking += [f"data.{name}" for name in DATA_PARTS if not isinstance(data.get(name), Mapping)]
    if lacking:
        raise UnreadableConfigError(
            f"is incomplete, it lacks {', '.join(lacking)}: it was cut short, or another program wrote it"
        )
    return _keep_earlier_splits(settings)


def _keep_earlier_splits(settings: dict[str, Any]) -> dict[str, Any]:
    """Adds how validation pairs were chosen in earlier versions, to the settings of runs that did not record it."""
    data = settings["data"]
    if "val_share" in data:
        return settings
    source = data["source"]
    source = {**source, "val_share": None} if source.get(TARGET) in SPLIT_SOURCES else source
    return {**settings, "data": {**data, "val_share": None, "source": source}}


def _parse(settings: Mapping[str, Any]) -> RunConfig:
    try:
        return parse_config(settings)
    except ValueError as error:
        found = [f"  {line}" for line in str(error).rstrip(".").splitlines()]
        raise UnreadableConfigError("\n".join(["holds settings that cannot be used:", *found])) from error
