"""Starts one run or a sweep from the command line of `pix2pix train`."""

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from pix2pix.cli.sweep_jobs import job_of, literal
from pix2pix.config.compose import resolve, run_with_hydra
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
    if SWEEP.has_failures():
        raise SystemExit(1)


def _train_job(cfg: DictConfig) -> float | None:
    from pix2pix.config.check import parse_and_check
    from pix2pix.training.train import train

    if HydraConfig.get().mode == RunMode.MULTIRUN:
        return _run_foreign_job(cfg)
    train(parse_and_check(resolve(cfg)))
    return None


def _run_foreign_job(cfg: DictConfig) -> float | None:
    """A job of a sweep whose launcher calls us within a process of its own; its error is left where ours would be."""
    from pix2pix.config.check import parse_and_check
    from pix2pix.training.train import train

    # A launcher of another package (SLURM, joblib) calls this in a process of its own, which knows only `cfg`.
    whole = cfg.copy()
    with open_dict(whole):
        whole.hydra = HydraConfig.get()
    job = job_of(whole, [])
    OmegaConf.update(cfg, "run_dir", literal(str(job.run.path)))
    try:
        train(parse_and_check(resolve(cfg)))
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
