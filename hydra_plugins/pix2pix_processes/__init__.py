"""Hydra launcher plugin for `pix2pix.runs.job_pool`: runs each job of a sweep in a process of its own.

Hydra finds launchers only in packages under `hydra_plugins`, and imports them in every Hydra program of the
environment. So heavy modules are imported where they are used. No `from __future__ import annotations`: Hydra reads
the signatures.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

if TYPE_CHECKING:
    from pix2pix.runs.device_slots import DeviceSlots
    from pix2pix.runs.job_pool import JobResult
    from pix2pix.runs.sweep import Job

log = logging.getLogger(__name__)


class ProcessLauncher(Launcher):
    """Runs each job in a process of its own, on GPUs or on shares of the CPU cores.

    Args:
        jobs: number of jobs at once; None for as many as there are GPUs or shares.
        gpus: indices of the GPUs to use; None for all.
        jobs_per_gpu: number of jobs that share a GPU; `auto` for as many as fit and make more steps together.
    """

    def __init__(self, jobs: int | None = None, gpus: Sequence[int] | None = None, jobs_per_gpu: int | str = 1) -> None:
        for name, value, word in (("jobs", jobs, None), ("jobs_per_gpu", jobs_per_gpu, "auto")):
            if value != word and (type(value) is not int or value < 1):
                also = f", or {word}" if word else ""
                raise ValueError(f"hydra.launcher.{name}={value}: must be a whole number of at least 1{also}.")
        if gpus is not None:
            _require_gpus(gpus)
        self.jobs, self.gpus, self.jobs_per_gpu = jobs, gpus, jobs_per_gpu

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Stores what `launch` needs. The task function runs in the processes of the jobs."""
        self.loader, self.config = hydra_context.config_loader, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Runs all jobs to their end, even if some fail, and returns their results."""
        from pix2pix.runs.job_pool import JobPool
        from pix2pix.runs.sweep import SWEEP
        from pix2pix.runs.sweep_display import SweepDisplay

        jobs = [self.job(list(overrides), initial_job_idx + i) for i, overrides in enumerate(job_overrides)]
        for job in jobs:
            SWEEP.add(job)
        unique_jobs = {job.run.path: job for job in jobs}.values()  # `seed=1,1` is one run
        slots = self.slots(jobs)
        log.info("%d runs, %d at once; the log of each is in %s", len(jobs), len(slots.free), jobs[0].log.parent)
        results: dict[Path, JobResult] = {}
        for job, result in JobPool(slots, watch=SweepDisplay().update).run(unique_jobs):
            results[job.run.path] = result
            SWEEP.record_result(job, *result)
            log.info("[%d/%d] %s: %s %s", len(results), len(unique_jobs), job.name, *result)
        return [_to_job_return(job, results[job.run.path]) for job in jobs]

    def slots(self, jobs: "Sequence[Job]") -> "DeviceSlots":
        """The GPUs or shares of CPU cores for these jobs."""
        from pix2pix.runs.device_slots import DeviceSlots
        from pix2pix.runs.gpu_sharing import SharedSlots

        on_gpu = self.gpus is not None or any(job.gpus != 0 for job in jobs)
        if isinstance(self.jobs_per_gpu, str):
            return SharedSlots.for_this_machine(len(jobs), self.jobs, self.gpus, on_gpu=on_gpu)
        return DeviceSlots.for_this_machine(len(jobs), self.jobs, self.gpus, self.jobs_per_gpu, on_gpu=on_gpu)

    def job(self, overrides: list[str], number: int) -> "Job":
        """The job of a sweep with these overrides: the one that was checked, or one that a search has drawn."""
        from pix2pix.cli.sweep_jobs import find_or_compose_job

        return find_or_compose_job(self.loader, self.config, overrides, number)


def _require_gpus(gpus: Any) -> None:
    """Raises ValueError for what is no list of different GPUs of this machine: its jobs would train on the CPU."""
    from pix2pix.runs.device_slots import list_visible_gpus

    visible = list_visible_gpus()
    is_list = isinstance(gpus, Sequence) and not isinstance(gpus, str)
    if not is_list or not all(type(number) is int for number in gpus) or not 0 < len(set(gpus)) == len(gpus):
        raise ValueError(f"hydra.launcher.gpus={gpus}: must be a list of numbers of GPUs, each once, such as [0,2].")
    if missing := [number for number in gpus if number not in visible]:
        here = ", ".join(map(str, visible)) or "none"
        raise ValueError(f"hydra.launcher.gpus={gpus}: there is no GPU {missing[0]}; this machine has {here}.")


class _JobReturn(JobReturn):
    """Hydra's result of a job, without the line that Hydra prints of one that failed: the sweep's table tells of it."""

    @property
    def return_value(self) -> Any:
        if self.status == JobStatus.FAILED:
            raise self._return_value
        return self._return_value

    @return_value.setter
    def return_value(self, value: Any) -> None:
        self._return_value = value


def _to_job_return(job: "Job", result: "JobResult") -> JobReturn:
    from pix2pix.runs.sweep import JobFailedError

    is_done = result.state == "done"
    answer = _JobReturn(overrides=job.overrides, status=JobStatus.COMPLETED if is_done else JobStatus.FAILED)
    answer.return_value = job.run.best_value() if is_done else JobFailedError(f"{job.name}: {result.detail}")
    return answer
