"""Finds the runs in folders."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from natsort import natsorted

from pix2pix.runs.run import Run

CONFIG = "config.yaml"  # makes a directory a run


RUN_SUBFOLDERS = {
    "checkpoints",
    "samples",
    "evaluation",
    "exported",
    "tensorboard",
    "wandb",
}  # folders that are no runs


def find_runs(paths: Iterable[str | Path]) -> list[Run]:
    """The runs at and below the paths. Raises FileNotFoundError for a path that has none."""
    runs: list[Run] = []
    for path in map(Path, paths):
        found = [path] if (path / CONFIG).is_file() else natsorted(_runs_below(path), key=str)
        if not found:
            raise FileNotFoundError(f"{path}: no runs here. Give runs, or folders of runs such as outputs/SWEEP.")
        runs += [Run(run) for run in found]
    return list({run.path.resolve(): run for run in runs}.values())


def _runs_below(path: Path) -> Iterator[Path]:
    return (folder for folder, files in walk_folders(path) if CONFIG in files)


def walk_folders(path: Path) -> Iterator[tuple[Path, list[str]]]:
    """The folders at and below a path with the names of their files; what runs keep in folders is left out.

    That is pictures by the thousand, and configurations that are not ours.
    """
    for folder, below, files in os.walk(path):
        if CONFIG in files:
            below[:] = [name for name in below if name not in RUN_SUBFOLDERS]
        yield Path(folder), files
