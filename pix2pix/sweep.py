"""A sweep: several runs from one command, side by side in directories named by what differs."""

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from pix2pix.run import Run


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
        said = self.log.read_text(encoding="utf-8", errors="replace") if self.log.is_file() else ""
        lines = said.strip().splitlines()
        return lines[-1].strip() if lines else "it left no message"


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
