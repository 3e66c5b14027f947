"""Runs the jobs of a sweep as processes: starts, monitors and stops them.

Hydra's joblib launcher gives every job the same devices, cannot start a job of several processes (`trainer=ddp`), and
does not pass a signal on, so that a stopped sweep would lose what its jobs had trained since their last checkpoint.
"""

import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pix2pix.core.processes import KILL
from pix2pix.core.signals import STOP_SIGNALS, USER_SIGNALS
from pix2pix.runs.device_slots import DeviceSlots
from pix2pix.runs.job_process import JobProcess
from pix2pix.runs.sweep import STOPPED, Job

POLL_SECONDS = 0.05
GRACE_SECONDS = 60.0  # for a stopped job to end its step and save


class JobResult(NamedTuple):
    """How a job ended.

    Args:
        state: `done`, `failed`, `pruned`, or `stopped` (by a signal, or at its time limit).
        detail: the reason, or how long it took.
    """

    state: str
    detail: str


class JobPool:
    """Runs each job in its own process, as many at once as there are slots.

    Training on several devices starts further processes by the command line, and a crash must not take other jobs
    with it; both need a process per job.

    Args:
        slots: the devices for the jobs.
        should_prune: called regularly with each running job; a job for which it returns True is stopped.
        watch: called regularly with all running jobs.
    """

    def __init__(
        self,
        slots: DeviceSlots,
        should_prune: Callable[[Job], bool] = lambda job: False,
        watch: Callable[[Sequence[Job]], None] = lambda jobs: None,
    ) -> None:
        self.slots, self.should_prune, self.watch = slots, should_prune, watch
        self.running: dict[JobProcess, tuple[Job, list[int], float]] = {}
        self.pruned: set[Path] = set()
        self.failed_starts: list[tuple[Job, JobResult]] = []
        self.stop_signal: int | None = None  # the signal that asked this program to end
        self.is_hurried = False  # whether Ctrl-C was pressed again

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, JobResult]]:
        """Runs all jobs, even if some fail, and yields them as they end. Takes the next job when one has started.

        A stop signal lets the running jobs save, yields them, too, and then ends the program. A second Ctrl-C does not
        wait for them.
        """
        remaining = iter(jobs)
        waiting = next(remaining, None)
        with self._handle_signals():
            # Start what fits, then yield what has ended. The next job is taken only when one has started, because a
            # search chooses it by the results so far.
            while self.stop_signal is None and (waiting or self.running or self.failed_starts):
                while waiting and self._start(waiting):
                    waiting = next(remaining, None)
                if waiting and not self.running and not self.failed_starts:  # all slots are free, and not enough
                    gpus = len(self.slots.all)
                    message = f"trainer.devices={waiting.gpus}, but the sweep has {gpus} GPUs to give."
                    yield waiting, JobResult("failed", message)
                    waiting = next(remaining, None)
                yield from self._collect_results()
                self.slots.adapt((job, slots) for job, slots, _ in self.running.values())
                self.watch([job for job, *_ in self.running.values()])
                time.sleep(POLL_SECONDS)
            yield from self._stop()
        if self.stop_signal is not None:
            raise SystemExit(128 + self.stop_signal)

    def _start(self, job: Job) -> bool:
        """Starts a job if enough slots are free."""
        slots = self.slots.take(job) if len(self.running) < self.slots.at_once else None
        if slots is None:
            return False
        try:
            process = self.slots.start(job, slots)
            self.running[process] = job, slots, time.monotonic()
        except OSError as error:  # the command is too long, or the log cannot be written: other jobs may start
            self.slots.give_back(slots)
            self.failed_starts.append((job, JobResult("failed", f"cannot be started: {error}")))
        return True

    def _collect_results(self) -> Iterator[tuple[Job, JobResult]]:
        while self.failed_starts:
            yield self.failed_starts.pop()
        for process in list(self.running):
            job, slots, started = self.running[process]
            if (code := process.poll()) is None:
                if self.stop_signal is None and job.run.path not in self.pruned and self.should_prune(job):
                    self.pruned.add(job.run.path)
                    process.signal(signal.SIGTERM)
                continue
            del self.running[process]
            self.slots.give_back(slots)
            yield job, self._result_of(job, code, time.monotonic() - started)

    def _result_of(self, job: Job, code: int, seconds: float) -> JobResult:
        message, duration = job.error_line(), f"{seconds:.0f} s"
        if not code and message.startswith(STOPPED):  # the time limit of the run: it has not failed, and is unfinished
            return JobResult("stopped", message)
        if not code:
            return JobResult("done", f"in {duration}")
        if job.run.path in self.pruned:
            return JobResult("pruned", f"the median of earlier trials was better, after {duration}")
        if number := signal.Signals(self.stop_signal) if self.stop_signal else _stop_signal_of(code):
            return JobResult("stopped", f"by {number.name} after {duration}; run the same command again to resume it")
        if code < 0:
            return JobResult("failed", f"ended by {signal.Signals(-code).name}, after: {message}")
        return JobResult("failed", message)

    def _stop(self) -> Iterator[tuple[Job, JobResult]]:
        """Asks the running jobs to save and end, and kills those that take too long."""
        deadline, number = time.monotonic() + GRACE_SECONDS, signal.SIGTERM
        self._send_signal(number)
        while self.running:
            yield from self._collect_results()
            if (self.is_hurried or time.monotonic() > deadline) and number != KILL:
                number = KILL
                self._send_signal(number)
            time.sleep(POLL_SECONDS)

    def _send_signal(self, number: int) -> None:
        for process in self.running:
            process.signal(number)  # and to the processes that the job started

    @contextmanager
    def _handle_signals(self) -> Iterator[None]:
        """Records stop signals within the block. However it ends, no job outlives it."""
        previous = {number: signal.getsignal(number) for number in USER_SIGNALS}
        for number, handler in previous.items():
            if handler is not signal.SIG_IGN:  # nohup ignores SIGHUP, which must stay so
                signal.signal(number, self._on_signal)
        try:
            yield
        finally:
            # SIGTERM after an error here, so that jobs can save. After a stop signal they had their time: SIGKILL.
            self._send_signal(signal.SIGTERM if self.stop_signal is None else KILL)
            deadline = time.monotonic() + GRACE_SECONDS
            for process in self.running:
                _wait_or_kill(process, deadline)
            for number, handler in previous.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _on_signal(self, number: int, _frame: object) -> None:
        self.is_hurried = number == signal.SIGINT and self.stop_signal is not None
        self.stop_signal = number


def _stop_signal_of(code: int) -> signal.Signals | None:
    """The signal that asked a job to end, from its exit code: -N as Python reports it, or 128 + N as a shell does."""
    number = -code if code < 0 else code - 128
    return signal.Signals(number) if number in STOP_SIGNALS else None


def _wait_or_kill(process: JobProcess, deadline: float) -> None:
    try:
        process.wait(max(0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.signal(KILL)
