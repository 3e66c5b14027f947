"""Finds the runs in folders."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from natsort import natsorted

from pix2pix.core.arguments import require_path
from pix2pix.core.atomic_files import is_temporary
from pix2pix.runs.run import Run

CONFIG = "config.yaml"  # a directory with this file is a run
PROVENANCE = "provenance.json"
BESIDE_RUNS = {"comparison.html", "logs", "multirun.yaml", "search.journal", "slurm_jobs.json"}  # in a sweep's folder
RUN_SUBFOLDERS = {"checkpoints", "samples", "evaluation", "exported", "tensorboard", "wandb"}


def find_runs(paths: Iterable[str | Path]) -> list[Run]:
    """The runs at and below the paths, each once. What lies beside the runs of a sweep is skipped.

    Raises FileNotFoundError for a path that is not there or has no runs, and ValueError for an empty one.
    """
    runs: list[Run] = []
    given_paths = list(paths)
    for given in given_paths:
        require_path(given, "run")
        path = Path(given)
        if not path.exists():
            raise FileNotFoundError(f"{path}: there is no such folder. Give runs, or folders of runs such as outputs/.")
        below = (folder for folder, files in walk_folders(path) if CONFIG in files)
        folders = [path] if (path / CONFIG).is_file() else natsorted(below, key=str)
        if not folders and len(given_paths) > 1 and path.name in BESIDE_RUNS:
            continue  # the shell wrote it for outputs/SWEEP/*
        if not folders:
            raise FileNotFoundError(f"{path}: no runs here. Give runs, or folders of runs such as outputs/SWEEP.")
        runs += [Run(folder) for folder in folders]
    if given_paths and not runs:
        raise FileNotFoundError(f"{', '.join(map(str, given_paths))}: no runs here. Give runs, or folders of runs.")
    # Paths may overlap, and a run may be given twice; the first mention keeps its place.
    return list({run.path.resolve(): run for run in runs}.values())


def find_folders_without_config(paths: Iterable[str | Path]) -> list[Path]:
    """The folders at and below the paths with what a training writes, but without its configuration: damaged runs."""
    folders = (each for path in paths for each in walk_folders(Path(path)))
    return [folder for folder, files in folders if CONFIG not in files and PROVENANCE in files]


def walk_folders(path: Path) -> Iterator[tuple[Path, list[str]]]:
    """The folders at and below a path with the names of their files, without the subfolders of runs.

    Those hold thousands of pictures, and `config.yaml` files of other programs. Of links only those to runs elsewhere
    are followed, each run once.
    """
    seen = {path.resolve()}
    for folder, below, files in os.walk(path, followlinks=True):
        if CONFIG in files:
            below[:] = [name for name in below if name not in RUN_SUBFOLDERS]
        below[:] = [name for name in below if not is_temporary(Path(name)) and _is_walked(Path(folder, name), seen)]
        yield Path(folder), files


def _is_walked(folder: Path, seen: set[Path]) -> bool:
    """Whether a folder is no link, or one to a run that `seen` does not hold, alone or in a folder; adds that run."""
    if not folder.is_symlink():
        return True
    if not os.path.isfile(folder / CONFIG):  # noqa: PTH113 - Path.is_file raises for folders that may not be read
        return False
    run = folder.resolve()
    if not seen.isdisjoint({run, *run.parents}):
        return False
    seen.add(run)
    return True
