"""Shows how the running jobs of a sweep get on: a live line for each on a terminal, plain lines elsewhere."""

import logging
import shutil
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pix2pix.core.terminal import is_live, style
from pix2pix.runs.state import RunState, read_state
from pix2pix.runs.sweep import Job

if TYPE_CHECKING:
    from pix2pix.config.schema import RunConfig

LIVE_SECONDS, PLAIN_SECONDS = 1.0, 300.0  # between two looks at the jobs

log = logging.getLogger(__name__)


class SweepDisplay:
    """Tells which jobs have started, and of each running one the epoch and the time left.

    Args:
        stream: where live lines are written, if it is a terminal; other streams get lines in the log.
    """

    def __init__(self, stream: IO[str] | None = None) -> None:
        self.stream = stream or sys.stderr
        self.is_live = is_live(self.stream)
        self._shown = 0  # live lines on the terminal
        self._looked = time.monotonic()
        self._started: set[Path] = set()
        self._configs: dict[Path, RunConfig] = {}
        for handler in logging.getLogger().handlers if self.is_live else ():
            handler.addFilter(self._make_room)

    def update(self, running: Collection[Job]) -> None:
        """Says which jobs have started, and shows all running ones when it is time; called many times a second."""
        for job in running:
            if job.run.path not in self._started:
                self._started.add(job.run.path)
                if not self.is_live:
                    log.info("%s: started", job.name)
        now = time.monotonic()
        if now - self._looked < (LIVE_SECONDS if self.is_live else PLAIN_SECONDS):
            return
        self._looked = now
        lines = [f"{job.name}: {self._describe(job)}" for job in running]
        if self.is_live:
            self._write_live(lines)
        else:
            for line in lines:
                log.info("%s", line)

    def _make_room(self, record: logging.LogRecord) -> bool:
        """Removes the live lines before a message is written; the next look writes them below it."""
        self.clear()
        return True

    def clear(self) -> None:
        """Removes the live lines."""
        if self._shown:
            self.stream.write(f"\033[{self._shown}F\033[J")
            self.stream.flush()
            self._shown = 0

    def _describe(self, job: Job) -> str:
        """The state of a job; `starting` until its first row of numbers, `ending` after its last."""
        try:
            if job.run.path not in self._configs:
                self._configs[job.run.path] = job.run.config()
            state = read_state(job.run, self._configs[job.run.path], job.run.provenance())
        except (ValueError, OSError):  # its files are not there yet
            state = RunState("running")
        if state.kind == "finished":
            return "ending"
        return state.describe().removeprefix("running, ") if state.epoch else "starting"

    def _write_live(self, lines: list[str]) -> None:
        width = max(20, shutil.get_terminal_size().columns) - 1
        self.clear()
        for line in lines:
            name, _, rest = line.rpartition(": ")
            shown = f"{name[: width - len(rest) - 4]}: "
            self.stream.write(f"  {shown}{style(rest, 'green', stream=self.stream)}\n")
        self.stream.flush()
        self._shown = len(lines)
