"""Hydra's door to `pix2pix.sweep`: each job of a sweep in a process of its own.

Hydra takes launchers from packages under `hydra_plugins` only. No `from __future__ import annotations` here: Hydra
reads the signatures.
"""

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from pix2pix.composition import job_of
from pix2pix.sweep import SWEEP, Job, Pool, Slots


class ProcessLauncher(Launcher):
    """One operating-system process for each job, from a pool of GPU slots or CPU shares.

    Args:
        jobs: how many run at once; None for as many as there are slots.
        gpus: indices of the GPUs to hand out; None for all that are there.
        jobs_per_gpu: how many jobs share a GPU.
    """

    def __init__(self, jobs: int | None = None, gpus: Sequence[int] | None = None, jobs_per_gpu: int = 1) -> None:
        self.jobs, self.gpus, self.jobs_per_gpu = jobs, gpus, jobs_per_gpu

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keeps what `launch` needs; the task function runs in the processes."""
        self.loader, self.config = hydra_context.config_loader, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Runs all jobs to their end, whatever becomes of each, and says how each ended."""
        jobs = [self._job(list(overrides), initial_job_idx + i) for i, overrides in enumerate(job_overrides)]
        for job in jobs:
            SWEEP.add(job)
        on_gpu = self.gpus is not None or any(job.gpus != 0 for job in jobs)
        ended = Pool(Slots.of_this_machine(len(jobs), self.jobs, self.gpus, self.jobs_per_gpu, on_gpu=on_gpu)).run(jobs)
        return [_return(error, job) for job, error in zip(jobs, ended, strict=True)]

    def _job(self, overrides: list[str], number: int) -> Job:
        config: Any = self.loader.load_sweep_config(self.config, overrides)
        with open_dict(config):
            config.hydra.job.id = config.hydra.job.num = number
        return job_of(config, overrides)


def _return(error: str | None, job: Job) -> JobReturn:
    result = JobReturn(overrides=job.overrides, status=JobStatus.FAILED if error else JobStatus.COMPLETED)
    result.return_value = RuntimeError(f"{job.name}: {error}") if error else job.run.best()
    return result
