"""Starts one run or a sweep from the command line of `pix2pix train`."""

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from pix2pix.cli.sweep_jobs import escape_references, make_job
from pix2pix.config.compose import resolve, run_with_hydra
from pix2pix.core.garbage import collect_as_usual
from pix2pix.runs.sweep import STOPPED, SWEEP, JobFailedError


def run_or_sweep(words: list[str]) -> None:
    """Trains one run, or a sweep, and prints the table of a sweep's runs."""
    SWEEP.reset()
    try:
        with _restore_environment():
            run_with_hydra(_train_job, words)
    except JobFailedError:
        pass  # the table reports it
    finally:
        if SWEEP.jobs:
            print(SWEEP.table())
            if command := SWEEP.next_command():
                print(f"Compare them: {command}")
    if SWEEP.has_failures():
        raise SystemExit(1)


def _train_job(cfg: DictConfig) -> float | None:
    """Trains one run. Hydra's sweepers take the result of a job, its best value, to choose the next settings."""
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        return _run_foreign_job(cfg)
    _train(cfg)
    return None  # a single run has no sweeper


def _train(cfg: DictConfig) -> None:
    from pix2pix.config.check import parse_and_check
    from pix2pix.training.train import train

    config = parse_and_check(resolve(cfg))
    collect_as_usual()
    train(config)


def _run_foreign_job(cfg: DictConfig) -> float | None:
    """Trains one sweep job for a launcher of another package (SLURM, joblib).

    It runs in that launcher's process; errors go to the same log as ours.
    """
    # That process knows only `cfg`. The job needs Hydra's part of the configuration, too.
    whole = cfg.copy()
    with open_dict(whole):
        whole.hydra = HydraConfig.get()
    job = make_job(whole, [])
    # Overrides name the directory. OmegaConf would take a `${` in that name as a reference.
    OmegaConf.update(cfg, "run_dir", escape_references(str(job.run.path)))
    try:
        _train(cfg)
    except SystemExit as end:
        job.write_log(f"{STOPPED} (exit code {end.code}); run the same command again to resume it")
        raise
    except Exception as error:
        job.write_log("".join(traceback.format_exception(error)))
        raise JobFailedError(f"{job.name}: {error}") from error
    return job.run.best_value()


@contextmanager
def _restore_environment() -> Iterator[None]:
    """Restores the environment variable that a sweep sets for its jobs."""
    before = os.environ.get("PYTHONSAFEPATH")
    try:
        yield
    finally:
        os.environ.pop("PYTHONSAFEPATH", None)
        if before is not None:
            os.environ["PYTHONSAFEPATH"] = before
