"""Hydra launcher plugin for Slurm: submits the jobs of a sweep by submitit, and waits for them or returns.

Unlike submitit's own launcher it submits only runs that are neither finished nor in the queue, it can return at once,
and it asks squeue for the states of jobs, not sacct, which fails on clusters without accounting. Hydra imports this
module for every command. No `from __future__ import annotations`: Hydra reads the signatures.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf

if TYPE_CHECKING:
    from pix2pix.runs.sweep import Job

log = logging.getLogger(__name__)

with suppress(ImportError):  # the extra `slurm` is not installed
    from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf, SlurmQueueConf
    from hydra_plugins.hydra_submitit_launcher.submitit_launcher import SlurmLauncher

    class QueueLauncher(SlurmLauncher):
        """Submits each run of a sweep to Slurm's queue, as a job of one array.

        Args:
            detach: whether to return when the jobs are submitted. The same command shows later how they get on.
            params: submitit's settings.
        """

        def __init__(self, detach: bool = False, **params: Any) -> None:
            super().__init__(**params)
            self.detach = detach

        def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
            """Submits the runs that are neither finished nor in the queue, waits if it shall, and returns results."""
            from pix2pix.cli.sweep_jobs import find_or_compose_job
            from pix2pix.runs.slurm_queue import add_numbers, find_queued, read_states, record_states, wait_for_jobs
            from pix2pix.runs.sweep import SWEEP
            from pix2pix.runs.sweep_display import SweepDisplay

            assert self.config is not None
            assert self.hydra_context is not None
            sweep = Path(str(self.config.hydra.sweep.dir))
            loader = self.hydra_context.config_loader
            jobs = [
                find_or_compose_job(loader, self.config, list(overrides), initial_job_idx + place)
                for place, overrides in enumerate(job_overrides)
            ]
            for job in jobs:
                SWEEP.add(job)
            queued = find_queued(sweep)  # before looking at the runs: one that ends between is complete then
            to_submit = {
                job.name: (initial_job_idx + place, list(job_overrides[place]))
                for place, job in enumerate(jobs)
                if job.name not in queued and not SWEEP.is_complete(job)
            }
            if to_submit:
                submitted = self._submit(to_submit)
                add_numbers(sweep, submitted)
                queued |= submitted
            numbers = {queued[job.name]: job for job in jobs if job.name in queued}
            log.info("%d runs: %d submitted now, %d in the queue.", len(jobs), len(to_submit), len(numbers))
            if self.detach:
                record_states(numbers, read_states() or {})
                if numbers:
                    log.info("The same command shows later how they get on. scancel NUMBER cancels one.")
                return [JobReturn(status=JobStatus.COMPLETED) for _ in jobs]
            try:
                wait_for_jobs(numbers, SweepDisplay().update)
            except KeyboardInterrupt:
                log.info(
                    "The jobs stay in the queue. The same command waits for them again; scancel NUMBER cancels one."
                )
                raise SystemExit(130) from None
            return [_to_job_return(job) for job in jobs]

        def _submit(self, jobs: Mapping[str, tuple[int, list[str]]]) -> dict[str, str]:
            """Submits jobs, by their names their places and overrides, and returns their numbers in Slurm."""
            import submitit

            params = dict(self.params)
            folder, timeouts = params.pop("submitit_folder"), params.pop("max_num_timeout")
            executor = submitit.AutoExecutor(folder=folder, cluster="slurm", slurm_max_num_timeout=timeouts)
            shared = set(OmegaConf.structured(BaseQueueConf))
            executor.update_parameters(
                **{name if name in shared else f"slurm_{name}": value for name, value in params.items()}
            )
            state = Singleton.get_state()
            with executor.batch():
                submitted = [
                    executor.submit(self, overrides, "hydra.sweep.dir", number, "", state)
                    for number, overrides in jobs.values()
                ]
            return {name: job.job_id for name, job in zip(jobs, submitted, strict=True)}

    @dataclass
    class QueueConf(SlurmQueueConf):
        """Submitit's settings and ours."""

        _target_: str = f"{__name__}.QueueLauncher"
        detach: bool = False

    ConfigStore.instance().store(group="hydra/launcher", name="pix2pix_slurm", node=QueueConf(), provider=__name__)


def _to_job_return(job: "Job") -> JobReturn:
    from pix2pix.runs.sweep import SWEEP, JobFailedError

    is_done = job.run.is_finished()
    answer = JobReturn(status=JobStatus.COMPLETED if is_done else JobStatus.FAILED)
    answer.return_value = job.run.best_value() if is_done else JobFailedError(f"{job.name}: {SWEEP.outcome(job)[1]}")
    return answer
