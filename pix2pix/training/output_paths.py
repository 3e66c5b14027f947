"""Keeps the outputs of a run's loggers and callbacks in its own directory."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pix2pix.config.identity import flatten
from pix2pix.config.schema import RunConfig
from pix2pix.core.home_folder import expand_home
from pix2pix.core.instantiate import is_component_of
from pix2pix.runs.run import Run
from pix2pix.training.loggers.base import RunLogger

log = logging.getLogger(__name__)

# The arguments that tell callbacks and profilers of other packages where to write. Loggers have more names for it.
WRITTEN_TO = {"dir", "directory", "dirpath", "log_dir", "output_dir", "root_dir", "save_dir"}


def logger_arguments(logger: Mapping[str, Any], run: Run) -> dict[str, str]:
    """Further arguments of a logger: the directory of the run for those of this package."""
    return {"directory": str(run.path)} if is_component_of(logger, RunLogger) else {}


def keep_outputs_in_run(config: RunConfig, run: Run) -> RunConfig:
    """The configuration without paths into another run, such as those in a copied `config.yaml`.

    Loggers of this package always write to the run; a `directory` in their settings is ignored, with a log line.

    Raises:
        ValueError: for a logger or a callback of others that would write into the directory of another run.
    """
    loggers = {name: _without_directory(name, part, run) for name, part in config.logger.items()}
    foreign = {name: part for name, part in loggers.items() if not logger_arguments(part, run)}
    # Of foreign loggers every setting is looked at, of callbacks and the trainer those that are known to be folders.
    paths = {f"logger.{key}": value for key, value in flatten(foreign)}
    for group, parts in (("callbacks", config.callbacks), ("trainer", config.trainer)):
        paths |= {f"{group}.{key}": value for key, value in flatten(parts) if key.split(".")[-1] in WRITTEN_TO}
    for key, other in _find_paths_outside(paths, run):
        raise ValueError(
            f"{key}={paths[key]}: lies in another run, {other}, and would change what that one holds. "
            f"Set {key}={run.path}, or leave it out: ~{key}"
        )
    return config.replace(logger=loggers)


def _without_directory(name: str, logger: Mapping[str, Any], run: Run) -> dict[str, Any]:
    place = logger.get("directory")
    if place is None or not logger_arguments(logger, run):
        return dict(logger)
    if Path(place).resolve() != run.path.resolve():
        log.info("logger.%s.directory=%s is passed over: a run is logged in its own directory.", name, place)
    return {key: value for key, value in logger.items() if key != "directory"}


def _find_paths_outside(settings: Mapping[str, Any], run: Run) -> Iterator[tuple[str, Path]]:
    """The settings whose path lies in another run, with that run."""
    own = run.path.resolve()
    for key, value in settings.items():
        path = Path(value.removeprefix("file:").removeprefix("//")) if isinstance(value, str) else None
        if path is None or not (len(path.parts) > 1 or path.is_dir()):
            continue  # not a path
        # The nearest folder at or above the path that is a run.
        place = expand_home(path).resolve()
        around = next((folder for folder in (place, *place.parents) if Run(folder).provenance_file.is_file()), own)
        if own not in (place, *place.parents) and around != own:
            yield key, around
