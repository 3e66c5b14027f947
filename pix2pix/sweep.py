"""A sweep: several runs from one command, side by side in directories named by what differs."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

from pix2pix.run import Run

AT_MOST = 4  # jobs at once on CPUs, unless asked for more: each holds a copy of everything in memory
POLL = 0.05  # seconds between two looks at the running jobs
GRACE = 60.0  # seconds a stopped job has to save where it is


class JobFailedError(RuntimeError):
    """A run of a sweep failed; the sweep's table says how."""


@dataclass(frozen=True)
class Job:
    """One run of a sweep.

    Args:
        sweep: directory of the sweep.
        name: what differs; the run's directory within it.
        overrides: the words that make its configuration.
        flags: Hydra's own flags, such as --config-dir.
        gpus: how many GPUs it trains on; None for all there are, 0 for a CPU.
    """

    sweep: Path
    name: str
    overrides: list[str]
    flags: list[str] = field(default_factory=list)
    gpus: int | None = 0

    @property
    def run(self) -> Run:
        """Its run directory."""
        return Run(self.sweep / self.name)

    @property
    def log(self) -> Path:
        """What it said."""
        return self.sweep / "logs" / f"{self.name}.log"

    def command(self) -> list[str]:
        """The command line that trains this run alone."""
        run_dir = str(self.run.path).replace("\\", "\\\\").replace("'", "\\'")
        words = [*self.overrides, f"run_dir='{run_dir}'", "hydra.mode=RUN", *self.flags]
        return [sys.executable, "-m", "pix2pix.cli", "train", *words]

    def last_words(self) -> str:
        """The last line of its log: of a failed job, its error."""
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.is_file() else []
        return lines[-1].strip() if lines else "it left no message"


class Ending(NamedTuple):
    """How a job ended: `done`, `failed` or `stopped`, and what there is to say about it."""

    state: str
    detail: str


class Sweep:
    """What became of the jobs of a sweep, read from their directories: the same under every launcher."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Forgets all jobs: a new command begins."""
        self.jobs: dict[Path, Job] = {}
        self.done_before: set[Path] = set()
        self.stopped: set[Path] = set()
        self.started = time.time()

    def add(self, job: Job) -> None:
        """Takes a job in, before it is started."""
        if job.run.path not in self.jobs:
            self.jobs[job.run.path] = job
            if job.run.finished():
                self.done_before.add(job.run.path)

    def outcome(self, job: Job) -> tuple[str, str]:
        """`finished`, `skipped`, `stopped`, `failed` or `not run`, and what there is to say about it."""
        if job.run.finished():
            best = "  ".join(f"{name} {value:.4g}" for name, value in job.run.provenance().get("best", {}).items())
            return "skipped" if job.run.path in self.done_before else "finished", best
        if job.run.path in self.stopped:
            return "stopped", "without hope"
        if not job.log.is_file() or job.log.stat().st_mtime < self.started - 1:
            return "not run", ""
        return "failed", job.last_words()

    def table(self) -> str:
        """A line for each run, and how many there are of each kind."""
        lines = [(*self.outcome(job), job.name) for job in self.jobs.values()]
        width = max((len(name) for *_, name in lines), default=0)
        states = [state for state, *_ in lines]
        kinds = ("finished", "skipped", "stopped", "failed", "not run")
        counts = ", ".join(f"{states.count(kind)} {kind}" for kind in kinds if kind in states)
        rows = [f"  {state:<9} {name:<{width}}  {detail}".rstrip() for state, detail, name in lines]
        places = sorted({str(job.sweep) for job in self.jobs.values()})
        return "\n".join([f"{' '.join(places)}: {len(lines)} runs, {counts}", *rows])

    def failed(self) -> bool:
        """Whether a run is neither finished nor was stopped on purpose."""
        return any(self.outcome(job)[0] in {"failed", "not run"} for job in self.jobs.values())


SWEEP = Sweep()
"""The sweep of this process: Hydra builds launchers and callbacks out of each other's sight."""


@dataclass
class Slots:
    """What jobs at once are given: GPUs, or shares of the CPU's threads."""

    free: list[int]
    threads: int | None = None

    @classmethod
    def of_this_machine(
        cls,
        count: int,
        at_once: int | None = None,
        gpus: Sequence[int] | None = None,
        jobs_per_gpu: int = 1,
        *,
        on_gpu: bool,
    ) -> Self:
        """Slots for `count` jobs: each GPU `jobs_per_gpu` times, or CPU shares when the jobs train on CPUs."""
        if on_gpu and (cards := list(gpus) if gpus is not None else _visible_gpus()):
            return cls((cards * jobs_per_gpu)[: at_once or None])
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        jobs = max(1, min(count, at_once or min(cores, AT_MOST)))
        return cls(list(range(jobs)), max(1, cores // jobs))

    def take(self, job: Job) -> list[int] | None:
        """The slots for a job; None while there are not enough."""
        if self.threads is not None:
            return [self.free.pop(0)] if self.free else None
        cards = sorted(set(self.free), key=self.free.count, reverse=True)
        wanted = len(cards) if job.gpus is None else max(1, job.gpus)
        if not cards or wanted > len(cards):
            return None
        for card in cards[:wanted]:
            self.free.remove(card)
        return cards[:wanted]

    def environment(self, taken: list[int]) -> dict[str, str]:
        """The variables that keep a job to its slots."""
        if self.threads is not None:
            return {"OMP_NUM_THREADS": str(self.threads)}
        return {"CUDA_VISIBLE_DEVICES": ",".join(map(str, sorted(taken)))}


def _visible_gpus() -> list[int]:
    import torch

    return list(range(torch.cuda.device_count()))


class Pool:
    """Runs jobs in processes of their own, as many at once as there are slots.

    A process each, because training on several devices starts processes again by their command line, and because a
    job that dies takes none of the others with it.

    Args:
        slots: what the jobs are given.
        hopeless: asked about each running job from time to time; True ends it.
    """

    def __init__(self, slots: Slots, hopeless: Callable[[Job], bool] = lambda job: False) -> None:
        self.slots, self.hopeless = slots, hopeless
        self.running: dict[subprocess.Popen[bytes], tuple[Job, list[int], float]] = {}
        self.stopped: set[Path] = set()

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Ending]]:
        """Runs all jobs, whatever becomes of each, and yields them as they end; takes a job when there is room."""
        waiting = deque(itertools.islice(coming := iter(jobs), 1))
        with self._stopped_with_us():
            while waiting or self.running:
                while waiting and self._start(waiting[0]):
                    waiting.popleft()
                    waiting.extend(itertools.islice(coming, 1))
                yield from self._ended()
                time.sleep(POLL)

    def _ended(self) -> Iterator[tuple[Job, Ending]]:
        for process in list(self.running):
            job, taken, started = self.running[process]
            if process.poll() is None:
                if job.run.path not in self.stopped and self.hopeless(job):
                    self.stopped.add(job.run.path)
                    os.killpg(process.pid, signal.SIGTERM)
                continue
            del self.running[process]
            self.slots.free += taken
            yield job, self._ending(job, process.returncode, time.monotonic() - started)

    def _ending(self, job: Job, code: int, seconds: float) -> Ending:
        if job.run.path in self.stopped and code:
            return Ending("stopped", f"without hope after {seconds:.0f} s")
        return Ending("failed", job.last_words()) if code else Ending("done", f"in {seconds:.0f} s")

    def _start(self, job: Job) -> bool:
        taken = self.slots.take(job)
        if taken is None:
            return False
        job.log.parent.mkdir(parents=True, exist_ok=True)
        environment = os.environ | self.slots.environment(taken)
        with job.log.open("wb") as out:
            process = subprocess.Popen(
                job.command(), stdout=out, stderr=subprocess.STDOUT, env=environment, start_new_session=True
            )
        self.running[process] = job, taken, time.monotonic()
        return True

    @contextmanager
    def _stopped_with_us(self) -> Iterator[None]:
        """Ends the running jobs when the sweep is interrupted; SIGTERM does so as Ctrl-C does."""
        before = signal.signal(signal.SIGTERM, _interrupt)
        try:
            yield
        finally:
            for process in self.running:
                os.killpg(process.pid, signal.SIGTERM)  # with the processes it started itself
            deadline = time.monotonic() + GRACE
            for process in self.running:
                _wait(process, deadline)
            signal.signal(signal.SIGTERM, before)


def _wait(process: subprocess.Popen[bytes], deadline: float) -> None:
    try:
        process.wait(max(0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
