"""A sweep: several runs started by one command, and the table of their results."""

import re
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from pix2pix.runs.run import Run

START_MARK = "--- begun at "  # the line in a job's log with which each start begins
STOPPED = "Stopped"  # the first word of what a job says that was asked to end
MAX_DETAIL = 300  # characters of an error that the table shows


class JobFailedError(RuntimeError):
    """A run of a sweep failed; the sweep's table says how."""


@dataclass(frozen=True)
class Job:
    """One run of a sweep.

    Args:
        sweep: directory of the sweep.
        name: what differs; the run's directory within it.
        overrides: the words that make its configuration.
        flags: what `pix2pix train` is told besides: where the run goes, Hydra's own settings.
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
        """What it said, each start after those before."""
        return self.sweep / "logs" / f"{self.name}.log"

    def command(self) -> list[str]:
        """The command line that trains this run alone."""
        return [sys.executable, "-m", "pix2pix.cli", "train", *self.overrides, *self.flags]

    def open_log(self) -> IO[bytes]:
        """Its log, to append to: a process that an earlier sweep left behind may still be writing there."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        file = self.log.open("ab", buffering=0)
        file.write(f"{START_MARK}{time.strftime('%Y-%m-%d %H:%M:%S')}\n".encode())
        return file

    def write_log(self, text: str) -> None:
        """Adds to its log what a launcher of others would keep elsewhere."""
        with self.open_log() as file:
            file.write(f"{text}\n".encode(errors="replace"))

    def error_line(self) -> str:
        """The line of its log that tells most of how its last start ended: of a failed job, its error."""
        text = self.log.read_text("utf-8", errors="replace") if self.log.is_file() else ""
        return find_error_line(re.split(rf"^{START_MARK}.*$", text, flags=re.MULTILINE)[-1])


def find_error_line(text: str) -> str:
    """The error in what a program said: its own last sentence, that of its last traceback, or else the last line."""
    lines = [re.sub(r"^\[rank\d+\]: ?", "", line) for line in text.splitlines() if line.strip()]
    for place in reversed(range(len(lines))):
        if lines[place].startswith("pix2pix: "):
            return _join_continuation(lines[place:])
        if lines[place].startswith("Traceback "):
            unindented = (at for at in range(place + 1, len(lines)) if not lines[at].startswith(" "))
            return _join_continuation(lines[next(unindented, len(lines) - 1) :])
    return lines[-1].strip()[:MAX_DETAIL] if lines else "it left no message"


def _join_continuation(lines: list[str]) -> str:
    """The first of the lines, and the next where the first ends in a colon."""
    first, *others = lines
    words = f"{first.rstrip()} {others[0].strip()}" if first.rstrip().endswith(":") and others else first.rstrip()
    return words.removeprefix("pix2pix: ")[:MAX_DETAIL]


class Sweep:
    """What became of the jobs of a sweep: noted by those who ran them, else read from their directories."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forgets all jobs: a new command begins."""
        self.jobs: dict[Path, Job] = {}
        self.done_before: dict[Path, int] = {}  # with how many sessions: a finished run may be trained longer
        self.endings: dict[Path, tuple[str, str]] = {}
        self.started = time.time()

    def add(self, job: Job) -> None:
        """Takes a job in, before it is started."""
        if job.run.path not in self.jobs:
            self.jobs[job.run.path] = job
            if _is_finished(job.run):
                self.done_before[job.run.path] = _sessions(job.run)

    def record_result(self, job: Job, state: str, detail: str) -> None:
        """Keeps how a job ended."""
        self.endings[job.run.path] = state, detail

    def outcome(self, job: Job) -> tuple[str, str]:
        """`finished`, `skipped`, `pruned`, `stopped`, `failed` or `not run`, and what there is to say about it."""
        if _is_finished(job.run):
            best = "  ".join(f"{name} {value:.4g}" for name, value in job.run.provenance().get("best", {}).items())
            return "skipped" if self.done_before.get(job.run.path) == _sessions(job.run) else "finished", best
        ending = self.endings.get(job.run.path)
        if ending and ending[0] in {"pruned", "stopped", "failed"}:
            return ending
        if not job.log.is_file() or job.log.stat().st_mtime < self.started - 1:
            return "not run", ""
        words = job.error_line()
        return "stopped" if words.startswith(STOPPED) else "failed", words

    def table(self) -> str:
        """A line for each run, and how many there are of each kind."""
        lines = [(*self.outcome(job), job.name) for job in self.jobs.values()]
        width = max((len(name) for *_, name in lines), default=0)
        states = [state for state, *_ in lines]
        kinds = ("finished", "skipped", "pruned", "stopped", "failed", "not run")
        counts = ", ".join(f"{states.count(kind)} {kind}" for kind in kinds if kind in states)
        rows = [f"  {state:<9} {name:<{width}}  {detail}".rstrip() for state, detail, name in lines]
        places = sorted({str(job.sweep) for job in self.jobs.values()})
        return "\n".join([f"{' '.join(places)}: {len(lines)} runs, {counts}", *rows])

    def has_failures(self) -> bool:
        """Whether a run is neither finished nor was pruned."""
        return any(self.outcome(job)[0] in {"stopped", "failed", "not run"} for job in self.jobs.values())


def _is_finished(run: Run) -> bool:
    try:
        return run.is_finished()
    except ValueError:  # a damaged file: its job says so
        return False


def _sessions(run: Run) -> int:
    return len(run.provenance().get("sessions", []))


SWEEP = Sweep()
"""The sweep of this process: Hydra builds launchers and callbacks out of each other's sight."""
