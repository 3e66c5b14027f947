"""Runs the jobs of a sweep as processes: assigns GPUs and cores, starts, monitors and stops them."""

import itertools
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

from pix2pix.runs.sweep import STOPPED, Job

MAX_CPU_JOBS = 4  # jobs at once on CPUs, unless asked for more: each holds a copy of everything in memory
POLL_SECONDS = 0.05  # seconds between two looks at the running jobs
GRACE_SECONDS = 60.0  # seconds a stopped job has to end its step and to save
# The signals that ask a program to end. SIGHUP is what a closed terminal sends; Windows has not all of them.
STOP_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name))
CLUSTER_SIGNALS = tuple(getattr(signal, name) for name in ("SIGUSR1", "SIGUSR2") if hasattr(signal, name))


class JobResult(NamedTuple):
    """How a job ended, and what there is to say about it.

    `done`, `failed`, `pruned`, or `stopped`: asked to end, or out of time.
    """

    state: str
    detail: str


@dataclass
class DeviceSlots:
    """What jobs at once are given: GPUs, or shares of the CPU's threads.

    Args:
        free: the GPUs, each as often as jobs may share it; on CPUs a number for each share.
        at_once: how many jobs may run at once.
        threads: of a share of the CPU; None for GPUs.
    """

    free: list[int]
    at_once: int
    threads: int | None = None

    def __post_init__(self) -> None:
        self.all = set(self.free)

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
        """Slots for `count` jobs: each GPU `jobs_per_gpu` times, or CPU shares when the jobs train on CPUs."""
        cards = list(gpus) if gpus is not None else _visible_gpus() if on_gpu else []
        if cards:
            return cls(cards * jobs_per_gpu, at_once or len(cards) * jobs_per_gpu)
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        jobs = max(1, min(count, at_once or min(cores, MAX_CPU_JOBS)))
        return cls(list(range(jobs)), jobs, max(1, cores // jobs))

    def take(self, job: Job) -> list[int] | None:
        """The slots for a job; None while there are not enough."""
        if self.threads is not None:
            return [self.free.pop(0)] if self.free else None
        cards = sorted(set(self.free), key=self.free.count, reverse=True)
        wanted = len(self.all) if job.gpus is None else max(1, job.gpus)
        if wanted > len(cards):
            return None
        for card in cards[:wanted]:
            self.free.remove(card)
        return cards[:wanted]

    def environment(self, taken: list[int]) -> dict[str, str]:
        """The variables that keep a job to its slots; GPUs are counted among those that this process may see."""
        if self.threads is not None:
            return {"OMP_NUM_THREADS": str(self.threads)}
        ours = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
        names = [ours[card] if card < len(ours) else str(card) for card in sorted(taken)]
        return {"CUDA_VISIBLE_DEVICES": ",".join(names)}


def _visible_gpus() -> list[int]:
    import torch

    return list(range(torch.cuda.device_count()))


class JobPool:
    """Runs jobs in processes of their own, as many at once as there are slots.

    A process each, because training on several devices starts processes again by their command line, and because a
    job that dies takes none of the others with it.

    Args:
        slots: what the jobs are given.
        hopeless: asked about each running job from time to time; True ends it.
    """

    def __init__(self, slots: DeviceSlots, hopeless: Callable[[Job], bool] = lambda job: False) -> None:
        self.slots, self.hopeless = slots, hopeless
        self.running: dict[subprocess.Popen[bytes], tuple[Job, list[int], float]] = {}
        self.pruned: set[Path] = set()
        self.refused: list[tuple[Job, JobResult]] = []  # jobs that the system would not start
        self.asked: int | None = None  # the signal that asked us to end

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, JobResult]]:
        """Runs all jobs, whatever becomes of each, and yields them as they end; takes a job when there is room.

        Asked to end by a signal, it lets the running jobs save, yields them, too, and then ends the program. A second
        Ctrl-C does not wait for them.
        """
        waiting = deque(itertools.islice(coming := iter(jobs), 1))
        with self._handle_signals():
            while self.asked is None and (waiting or self.running or self.refused):
                while waiting and self._start(waiting[0]):
                    waiting.popleft()
                    waiting.extend(itertools.islice(coming, 1))
                if (
                    waiting and not self.running and not self.refused
                ):  # with everything free it cannot start: it never will
                    job = waiting.popleft()
                    waiting.extend(itertools.islice(coming, 1))
                    there = len(self.slots.all)
                    yield (
                        job,
                        JobResult("failed", f"trainer.devices={job.gpus}, but the sweep has {there} GPUs to give."),
                    )
                yield from self._collect_results()
                time.sleep(POLL_SECONDS)
            yield from self._stop()
        if self.asked is not None:
            raise SystemExit(128 + self.asked)

    def _stop(self) -> Iterator[tuple[Job, JobResult]]:
        """Asks the running jobs to save and end, and kills those that take too long."""
        deadline, number = time.monotonic() + GRACE_SECONDS, signal.SIGTERM
        self._send_signal(number)
        while self.running:
            yield from self._collect_results()
            if time.monotonic() > deadline and number != signal.SIGKILL:
                number = signal.SIGKILL
                self._send_signal(number)
            time.sleep(POLL_SECONDS)

    def _collect_results(self) -> Iterator[tuple[Job, JobResult]]:
        while self.refused:
            yield self.refused.pop()
        for process in list(self.running):
            job, taken, started = self.running[process]
            if process.poll() is None:
                if self.asked is None and job.run.path not in self.pruned and self.hopeless(job):
                    self.pruned.add(job.run.path)
                    os.killpg(process.pid, signal.SIGTERM)
                continue
            del self.running[process]
            self.slots.free += taken
            yield job, self._result_of(job, process.returncode, time.monotonic() - started)

    def _result_of(self, job: Job, code: int, seconds: float) -> JobResult:
        if not code:
            words = job.error_line()  # a limit of time is no failure, and not the end of the run either
            return (
                JobResult("stopped", words) if words.startswith(STOPPED) else JobResult("done", f"in {seconds:.0f} s")
            )
        if job.run.path in self.pruned:
            return JobResult("pruned", f"the median of earlier trials was better, after {seconds:.0f} s")
        by = signal.Signals(self.asked) if self.asked else _stop_signal_of(code)
        if by:
            return JobResult("stopped", f"by {by.name} after {seconds:.0f} s; run the same command again to resume it")
        if code < 0:
            return JobResult("failed", f"ended by {signal.Signals(-code).name}, after: {job.error_line()}")
        return JobResult("failed", job.error_line())

    def _start(self, job: Job) -> bool:
        taken = self.slots.take(job) if len(self.running) < self.slots.at_once else None
        if taken is None:
            return False
        try:
            self.running[self._launch(job, taken)] = job, taken, time.monotonic()
        except OSError as error:  # too long a command, no room for a log: the other jobs go on
            self.slots.free += taken
            self.refused.append((job, JobResult("failed", f"cannot be started: {error}")))
        return True

    def _launch(self, job: Job, taken: list[int]) -> subprocess.Popen[bytes]:
        environment = os.environ | self.slots.environment(taken)
        with job.open_log() as out:
            return subprocess.Popen(
                job.command(), stdout=out, stderr=subprocess.STDOUT, env=environment, start_new_session=True
            )

    def _send_signal(self, number: int) -> None:
        for process in self.running:
            os.killpg(process.pid, number)  # with the processes it started itself

    @contextmanager
    def _handle_signals(self) -> Iterator[None]:
        """Notes the signals that ask us to end; whatever ends the block, no job outlives it."""
        # one that is ignored, as nohup does with SIGHUP, stays ignored
        before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)
        try:
            yield
        finally:
            self._send_signal(signal.SIGTERM if self.asked is None else signal.SIGKILL)
            deadline = time.monotonic() + GRACE_SECONDS
            for process in self.running:
                _wait_or_kill(process, deadline)
            for number, handler in before.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _on_signal(self, number: int, _frame: object) -> None:
        if number == signal.SIGINT and self.asked is not None:
            raise KeyboardInterrupt
        self.asked = number


def _stop_signal_of(code: int) -> signal.Signals | None:
    """The signal by which a job was asked to end, where its exit code tells of one: that of a shell, or Python's."""
    number = -code if code < 0 else code - 128
    return signal.Signals(number) if number in {*STOP_SIGNALS, *CLUSTER_SIGNALS} else None


def _wait_or_kill(process: subprocess.Popen[bytes], deadline: float) -> None:
    try:
        process.wait(max(0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
