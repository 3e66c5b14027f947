"""A sweep: several runs that one command starts, and the table of their results."""

import re
import shlex
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pix2pix.core.terminal import Style, style
from pix2pix.runs.run import Run

if TYPE_CHECKING:
    from pix2pix.config.schema import RunConfig

START_MARK = "--- begun at "  # starts the line that precedes the output of each start in a job's log
STOPPED = "Stopped"  # the first word of the last line of a job that was asked to end
MAX_DETAIL = 300  # characters of an error in the table
STYLES: dict[str, tuple[Style, ...]] = {  # of states on a terminal
    "finished": ("green",),
    "stopped": ("yellow",),
    "failed": ("red",),
    "queued": ("yellow",),
    "not run": ("yellow",),
}


class JobFailedError(RuntimeError):
    """A run of a sweep failed; the sweep's table names the error."""


@dataclass(frozen=True)
class Job:
    """One run of a sweep.

    Args:
        sweep: the directory of the sweep.
        name: the overrides that differ; also the name of the run's directory in the sweep.
        overrides: the overrides of its configuration.
        flags: further arguments of `pix2pix train`: the directory of the run, Hydra's own settings.
        gpus: how many GPUs it trains on; None for all, 0 for a CPU.
    """

    sweep: Path
    name: str
    overrides: list[str]
    flags: list[str] = field(default_factory=list)
    gpus: int | None = 0

    @property
    def run(self) -> Run:
        """The run directory."""
        return Run(self.sweep / self.name)

    @property
    def log(self) -> Path:
        """The file with the output of all its starts, one after the other."""
        return self.sweep / "logs" / f"{self.name}.log"

    def command(self) -> list[str]:
        """The command line that trains this run."""
        return [sys.executable, "-m", "pix2pix.cli", "train", *self.overrides, *self.flags]

    def open_log(self) -> IO[bytes]:
        """Opens the log for appending: a process that an earlier sweep left behind may still write to it."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        file = self.log.open("ab", buffering=0)
        file.write(f"{START_MARK}{time.strftime('%Y-%m-%d %H:%M:%S')}\n".encode())
        return file

    def write_log(self, text: str) -> None:
        """Appends a text to the log, for launchers that keep the output elsewhere."""
        with self.open_log() as file:
            file.write(f"{text}\n".encode(errors="replace"))

    def error_line(self) -> str:
        """The line of the log that says how the last start ended; for a failed job, its error."""
        text = self.log.read_text("utf-8", errors="replace") if self.log.is_file() else ""
        return find_error_line(re.split(rf"^{START_MARK}.*$", text, flags=re.MULTILINE)[-1])


def find_error_line(text: str) -> str:
    """The error in a program's output: its own last message, that of its last traceback, or else the last line."""
    # The last message of this program or the last traceback; torchrun puts the rank before each line.
    lines = [re.sub(r"^\[rank\d+\]: ?", "", line) for line in text.splitlines() if line.strip()]
    for place in reversed(range(len(lines))):
        if lines[place].startswith("pix2pix: "):
            return _join_continuation(lines[place:])
        if lines[place].startswith("Traceback "):
            unindented = (at for at in range(place + 1, len(lines)) if not lines[at].startswith(" "))
            return _join_continuation(lines[next(unindented, len(lines) - 1) :])
    return lines[-1].strip()[:MAX_DETAIL] if lines else "it left no message"


def _join_continuation(lines: list[str]) -> str:
    """The first line, joined with the second if the first ends in a colon."""
    first, *others = lines
    text = f"{first.rstrip()} {others[0].strip()}" if first.rstrip().endswith(":") and others else first.rstrip()
    return text.removeprefix("pix2pix: ")[:MAX_DETAIL]


class Sweep:
    """The results of a sweep's jobs: recorded by the launcher, or else read from the run directories."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forgets all jobs, for a new command."""
        self.jobs: dict[Path, Job] = {}
        self.checked: dict[int, Job] = {}  # by their numbers in the sweep
        self.configs: dict[Path, RunConfig] = {}  # as checked, by the directories of the runs
        self.finished_before: dict[Path, int] = {}  # sessions of runs that were finished when the sweep began
        self.results: dict[Path, tuple[str, str]] = {}
        self.started = time.time()

    def add(self, job: Job) -> None:
        """Adds a job before it is started."""
        if job.run.path not in self.jobs:
            self.jobs[job.run.path] = job
            if job.run.is_finished():
                self.finished_before[job.run.path] = _sessions(job.run)

    def find_checked(self, number: int, overrides: list[str]) -> Job | None:
        """The job that was composed with this number and these overrides when the sweep was checked."""
        job = self.checked.get(number)
        return job if job and job.overrides == overrides else None

    def is_complete(self, job: Job) -> bool:
        """Whether nothing is left to do for a run that was checked. It may have become so since.

        Raises ValueError if it was trained for longer than it is to be.
        """
        config = self.configs.get(job.run.path)
        return config is not None and job.run.is_complete_for(config)

    def record_result(self, job: Job, state: str, detail: str) -> None:
        """Records how a job ended."""
        self.results[job.run.path] = state, detail

    def outcome(self, job: Job) -> tuple[str, str]:
        """The state of a job and a detail: `finished`, `skipped`, `pruned`, `stopped`, `failed` or `not run`.

        Also `queued` or `running`, for jobs that were submitted to a cluster.
        """
        result = self.results.get(job.run.path)
        if result and result[0] in {"queued", "running"}:
            return result
        is_as_before = self.finished_before.get(job.run.path) == _sessions(job.run) if job.run.is_finished() else False
        if result and result[0] in {"stopped", "failed"} and is_as_before:  # before it could train the run longer
            return result
        if job.run.is_finished():
            best = "  ".join(f"{name} {value:.4g}" for name, value in job.run.provenance().get("best", {}).items())
            return "skipped" if is_as_before else "finished", best
        if result and result[0] in {"pruned", "stopped", "failed"}:
            return result
        # A log that was not written since the sweep began is of an earlier one; file systems round its time.
        if not job.log.is_file() or job.log.stat().st_mtime < self.started - 1:
            return "not run", ""
        message = job.error_line()
        return "stopped" if message.startswith(STOPPED) else "failed", message

    def table(self) -> str:
        """One line per run, and the number of runs in each state."""
        lines = [(*self.outcome(job), job.name) for job in self.jobs.values()]
        width = max((len(name) for *_, name in lines), default=0)
        states = [state for state, *_ in lines]
        order = ("finished", "skipped", "running", "queued", "pruned", "stopped", "failed", "not run")
        counts = ", ".join(f"{states.count(state)} {state}" for state in order if state in states)
        rows = [
            f"  {style(f'{state:<9}', *STYLES.get(state, ()))} {name:<{width}}  {detail}".rstrip()
            for state, detail, name in lines
        ]
        places = sorted({str(job.sweep) for job in self.jobs.values()})
        return "\n".join([f"{' '.join(places)}: {len(lines)} runs, {counts}", *rows])

    def next_command(self) -> str | None:
        """The command that compares the runs; None if fewer than two are finished."""
        finished = [job for job in self.jobs.values() if job.run.is_finished()]
        folders = sorted({str(job.sweep) for job in finished})
        return f"pix2pix compare {shlex.join(folders)}" if len(finished) > 1 else None

    def has_failures(self) -> bool:
        """Whether a run is stopped, failed or was not run."""
        return any(self.outcome(job)[0] in {"stopped", "failed", "not run"} for job in self.jobs.values())


def _sessions(run: Run) -> int:
    return len(run.provenance().get("sessions", []))


SWEEP = Sweep()
"""The sweep of this process. It is global because Hydra gives launchers and callbacks no way to share an object."""
