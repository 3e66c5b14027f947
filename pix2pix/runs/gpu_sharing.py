"""Decides how many jobs of a sweep share a GPU: another one, as long as it fits and all together become faster."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pix2pix.core.plurals import pluralize
from pix2pix.runs.device_slots import DeviceSlots
from pix2pix.runs.metrics import read_last_step
from pix2pix.runs.sweep import Job

log = logging.getLogger(__name__)

LEAST_GAIN = 1.1  # a further job must make so many times the steps that were made without it
LEAST_ROOM = 1.5  # of a job's share of the used memory must be free for another one
LEAST_SECONDS, LEAST_STEPS = 20.0, 500  # of a measurement, the latter of each job; steps are logged in tens
PAUSE = 1.0  # seconds between two looks


def read_memory(card: int) -> tuple[int, int]:
    """The free bytes of a visible GPU and all of them. Takes about half a gigabyte there for as long as this runs."""
    import torch

    return torch.cuda.mem_get_info(card)


def read_job_step(job: Job) -> int | None:
    """The last step that a job has logged; None before the first."""
    return read_last_step(job.run.path / "metrics.csv")


@dataclass
class Card:
    """What is known of a GPU.

    Args:
        rate: steps a second of all its jobs, before the last one was added.
        since: when the present measurement began.
        steps: the steps of its jobs at that time.
        is_settled: whether no further job is tried.
    """

    rate: float = 0.0
    since: float = 0.0
    steps: Mapping[Path, int] = field(default_factory=dict)
    is_settled: bool = False


@dataclass
class SharedSlots(DeviceSlots):
    """Slots that begin with one job on each GPU, and become more while that pays.

    Args:
        memory: reads the free and the whole memory of a GPU.
        step: reads the last logged step of a job.
        clock: reads the time in seconds.
    """

    memory: Callable[[int], tuple[int, int]] = read_memory
    step: Callable[[Job], int | None] = read_job_step
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        super().__post_init__()
        self.cards = {card: Card() for card in self.all} if self.threads is None else {}
        self.looked_at = self.clock()

    def adapt(self, running: Iterable[tuple[Job, list[int]]]) -> None:
        """Measures the jobs that run, and adds a slot where that pays. Does nothing if called again within a second."""
        if self.clock() - self.looked_at < PAUSE:
            return
        self.looked_at = self.clock()
        jobs = list(running)
        for number, card in self.cards.items():
            here = [job for job, slots in jobs if slots == [number]]
            shared = [job for job, slots in jobs if number in slots]
            # A free slot waits for a job, and a job on several GPUs shares none: neither is measured.
            if not card.is_settled and here == shared != [] and number not in self.free:
                self._measure(number, card, here)

    def _measure(self, number: int, card: Card, jobs: Sequence[Job]) -> None:
        steps = {job.run.path: step for job in jobs if (step := self.step(job)) is not None}
        if len(steps) < len(jobs):
            return  # the newest is still starting
        if steps.keys() != card.steps.keys():
            card.since, card.steps = self.clock(), steps
            return
        seconds, made = self.clock() - card.since, [steps[path] - before for path, before in card.steps.items()]
        if seconds >= LEAST_SECONDS and min(made) >= LEAST_STEPS:
            self._decide(number, card, len(jobs), sum(made) / seconds)

    def _decide(self, number: int, card: Card, jobs: int, rate: float) -> None:
        free, total = self.memory(number)
        pays, fits = rate >= LEAST_GAIN * card.rate, free >= LEAST_ROOM * (total - free) / jobs
        words = f"GPU {number}: {pluralize(jobs, 'job makes', 'jobs make')} {rate:.0f} steps a second"
        words += f", {card.rate:.0f} with one less" if card.rate else ""
        if pays and fits:
            self.free.append(number)
            log.info("%s. Another one is added.", words)
        else:
            card.is_settled = True
            log.info("%s. %s", words, "No further one pays." if fits else "No further one fits into the memory.")
        if rate < card.rate:
            self.surplus.append(number)  # one less was faster
        card.rate, card.steps = rate, {}
