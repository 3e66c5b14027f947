"""Hydra's door to `pix2pix.runs.job_pool`: each job of a sweep in a process of its own.

Hydra takes launchers from packages under `hydra_plugins` only, and imports them in every Hydra program of the
environment: what is heavy, or would be noticed there, is imported where it is used. No `from __future__ import
annotations` here: Hydra reads the signatures.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

if TYPE_CHECKING:
    from pix2pix.runs.job_pool import DeviceSlots, JobResult
    from pix2pix.runs.sweep import Job

log = logging.getLogger(__name__)


class ProcessLauncher(Launcher):
    """One operating-system process for each job, from a pool of GPU slots or CPU shares.

    Args:
        jobs: how many run at once; None for as many as there are slots.
        gpus: indices of the GPUs to hand out; None for all that are there.
        jobs_per_gpu: how many jobs share a GPU.
    """

    def __init__(self, jobs: int | None = None, gpus: Sequence[int] | None = None, jobs_per_gpu: int = 1) -> None:
        for name, value in (("jobs", jobs), ("jobs_per_gpu", jobs_per_gpu)):
            if value is not None and (not isinstance(value, int) or value < 1):
                raise ValueError(f"hydra.launcher.{name}={value}: must be a whole number from 1 on.")
        self.jobs, self.gpus, self.jobs_per_gpu = jobs, gpus, jobs_per_gpu

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keeps what `launch` needs; the task function runs in the processes."""
        self.loader, self.config = hydra_context.config_loader, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Runs all jobs to their end, whatever becomes of each, and says how each ended."""
        from pix2pix.runs.job_pool import JobPool
        from pix2pix.runs.sweep import SWEEP

        jobs = [self.job(list(overrides), initial_job_idx + i) for i, overrides in enumerate(job_overrides)]
        for job in jobs:
            SWEEP.add(job)
        each_once = {job.run.path: job for job in jobs}.values()  # `seed=1,1` is one run
        slots = self.slots(jobs)
        log.info("%d runs, %d at once; what each says is in %s", len(jobs), len(slots.free), jobs[0].log.parent)
        endings: dict[Path, JobResult] = {}
        for job, ending in JobPool(slots).run(each_once):
            endings[job.run.path] = ending
            SWEEP.record_result(job, *ending)
            log.info("[%d/%d] %s: %s %s", len(endings), len(each_once), job.name, *ending)
        return [_return(job, endings[job.run.path]) for job in jobs]

    def slots(self, jobs: "Sequence[Job]") -> "DeviceSlots":
        """What there is to give to jobs like these at once."""
        from pix2pix.runs.job_pool import DeviceSlots

        on_gpu = self.gpus is not None or any(job.gpus != 0 for job in jobs)
        return DeviceSlots.for_this_machine(len(jobs), self.jobs, self.gpus, self.jobs_per_gpu, on_gpu=on_gpu)

    def job(self, overrides: list[str], number: int) -> "Job":
        """The job that the overrides make of the sweep's configuration."""
        from pix2pix.cli.sweep_jobs import job_in_sweep

        job, _config = job_in_sweep(self.loader, self.config, overrides, number)
        return job


def _return(job: "Job", ending: "JobResult") -> JobReturn:
    from pix2pix.runs.sweep import JobFailedError

    done = ending.state == "done"
    result = JobReturn(overrides=job.overrides, status=JobStatus.COMPLETED if done else JobStatus.FAILED)
    result.return_value = job.run.best() if done else JobFailedError(f"{job.name}: {ending.detail}")
    return result
