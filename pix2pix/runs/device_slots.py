"""The GPUs, or shares of the CPU's threads, that the jobs of a sweep are given."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from pix2pix.core.cpu_cores import THREADS_VARIABLE, count_cores, count_threads
from pix2pix.runs.job_process import JobProcess, start_process
from pix2pix.runs.sweep import Job

MAX_CPU_JOBS = 4  # by default: each job holds a copy of everything in memory


@dataclass
class DeviceSlots:
    """The devices that concurrent jobs are given: GPUs, or shares of the CPU's threads.

    Args:
        free: the free GPUs, each as often as jobs may share it; on CPUs one number per share.
        at_once: the largest number of concurrent jobs.
        threads: threads per share of the CPU; None for GPUs.
    """

    free: list[int]
    at_once: int
    threads: int | None = None

    def __post_init__(self) -> None:
        self.all = set(self.free)
        self.surplus: list[int] = []  # GPUs of which one slot is not given again

    @classmethod
    def for_this_machine(
        cls,
        count: int,
        at_once: int | None = None,
        gpus: Sequence[int] | None = None,
        jobs_per_gpu: int = 1,
        *,
        on_gpu: bool,
    ) -> Self:
        """Slots for `count` jobs: each GPU `jobs_per_gpu` times, or CPU shares if the jobs train on CPUs."""
        cards = list(gpus) if gpus is not None else list_visible_gpus() if on_gpu else []
        if cards:
            return cls(cards * jobs_per_gpu, at_once or count)
        cores = count_cores()
        jobs = max(1, min(count, at_once or min(cores, MAX_CPU_JOBS)))
        return cls(list(range(jobs)), jobs, max(1, min(count_threads(), cores // jobs)))

    def take(self, job: Job) -> list[int] | None:
        """The slots for a job, least used GPUs first; None if not enough are free."""
        if self.threads is not None:
            return [self.free.pop(0)] if self.free else None
        # A GPU that jobs share is in `free` several times: more often where fewer jobs run on it.
        cards = sorted(set(self.free), key=self.free.count, reverse=True)
        wanted = len(self.all) if job.gpus is None else max(1, job.gpus)
        if wanted > len(cards):
            return None
        for card in cards[:wanted]:
            self.free.remove(card)
        return cards[:wanted]

    def give_back(self, slots: Iterable[int]) -> None:
        """Frees the slots of a job that has ended."""
        for slot in slots:
            (self.surplus.remove if slot in self.surplus else self.free.append)(slot)

    def adapt(self, running: Iterable[tuple[Job, list[int]]]) -> None:
        """Changes the number of slots by what the running jobs need; see `pix2pix.runs.gpu_sharing`. Nothing here."""

    def start(self, job: Job, slots: list[int]) -> JobProcess:
        """Starts a job on its slots. Raises OSError if the system does not start it."""
        return start_process(job, self.environment(slots))

    def environment(self, slots: list[int]) -> dict[str, str]:
        """The variables that keep a job to its slots. GPUs are numbered among those visible to this process."""
        if self.threads is not None:
            return {THREADS_VARIABLE: str(self.threads)}
        # This process may itself see only some GPUs, under names of CUDA's own: the n-th visible one, not number n.
        visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
        names = [visible[card] if card < len(visible) else str(card) for card in sorted(slots)]
        return {"CUDA_VISIBLE_DEVICES": ",".join(names)}


def list_visible_gpus() -> list[int]:
    """The numbers of the GPUs that this process sees."""
    import torch

    return list(range(torch.cuda.device_count()))
