"""Finds out whether a run is running, stopped, failed or finished, how far it has got, and how long it will take."""

import datetime
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pix2pix.runs.directory_lock import is_locked
from pix2pix.runs.metrics import read_newest_metrics
from pix2pix.runs.run import Run
from pix2pix.runs.sweep import STOPPED, find_error_line
from pix2pix.runs.train_log import NAME as TRAIN_LOG

if TYPE_CHECKING:
    from pix2pix.config.schema import RunConfig

State = Literal["finished", "running", "stopped", "failed", "unknown"]
LOG_BYTES = 2**16  # of the end of a log, where the error stands
SESSION_MARK = "--- "  # starts the first line of a session in train.log
ENDED_WITH_ERROR = "ERROR The training ended with an error."


@dataclass(frozen=True)
class RunState:
    """How far a run has got.

    Args:
        kind: `finished`, `running`, `stopped` (by a signal, a limit or a kill), `failed` (by an error), or `unknown`:
            its provenance.json, which says whether it is finished, is missing.
        epoch: the epoch of the last logged step, counted from 1; 0 before the first one.
        epochs: the epoch with which the training ends; None if it ends by steps or not at all.
        step: the last logged training step; 0 before the first one.
        seconds_left: the seconds until a running training ends; None if unknown.
        error: the error of a failed run.
    """

    kind: State
    epoch: int = 0
    epochs: int | None = None
    step: int = 0
    seconds_left: float | None = None
    error: str = ""

    def describe(self) -> str:
        """State, epoch, time left and error: `running, epoch 3 of 4, 2:22 left`."""
        if self.kind == "finished":
            return self.kind
        epoch = f"epoch {self.epoch}" + (f" of {self.epochs}" if self.epochs else "") if self.epoch else ""
        left = "" if self.seconds_left is None else f"{format_duration(self.seconds_left)} left"
        return ", ".join(filter(None, [self.kind, epoch, left])) + (f": {self.error}" if self.error else "")


def format_duration(seconds: float) -> str:
    """A duration as `2:22` or `1:02:22`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def read_state(run: Run, config: "RunConfig", provenance: Mapping[str, Any]) -> RunState:
    """The state of a run, read from its files and from the lock that a training holds on the directory."""
    if provenance.get("finished"):
        return RunState("finished")
    file = run.path / "metrics.csv"
    rows = read_newest_metrics(file)
    end = config.limits
    place = {
        "epoch": int(float(rows[-1].get("epoch") or 0)) if rows else 0,
        "epochs": None if math.isinf(end[0]) else int(end[0]),
        "step": int(rows[-1]["step"]) if rows else 0,
    }
    if is_locked(run.path):
        left = _estimate_seconds_left(rows, end, _read_session(provenance), file)
        return RunState("running", **place, seconds_left=left)
    words = read_error(run.path)
    ended: State = "stopped" if provenance else "unknown"
    return RunState("failed" if words else ended, **place, error=words)


def read_error(run: Path) -> str:
    """The error that ended the last session of a run that is not running; "" if it was stopped or left no message."""
    text = _read_end(run / TRAIN_LOG)
    session = re.split(rf"^{SESSION_MARK}", text, flags=re.MULTILINE)[-1]
    if ENDED_WITH_ERROR in session:
        return find_error_line(session.partition(ENDED_WITH_ERROR)[2])
    # An error before the run's own log was opened is only in the log of the sweep.
    if text or not (log := run.parent / "logs" / f"{run.name}.log").is_file():
        return ""
    message = find_error_line(_read_end(log))
    return "" if message.startswith(STOPPED) else message


def _read_end(file: Path) -> str:
    if not file.is_file():
        return ""
    with file.open("rb") as content:
        content.seek(max(0, os.fstat(content.fileno()).st_size - LOG_BYTES))
        return content.read().decode("utf-8", errors="replace")


def _read_session(provenance: Mapping[str, Any]) -> tuple[float, int] | None:
    """When the present session began, in seconds since 1970, and with which step."""
    session = next(iter(reversed(provenance.get("sessions", []))), {})
    try:
        return datetime.datetime.fromisoformat(session["started"]).timestamp(), int(session.get("step", 0))
    except (KeyError, TypeError, ValueError):
        return None


def _estimate_seconds_left(
    rows: Sequence[Mapping[str, str]], end: tuple[float, float], session: tuple[float, int] | None, file: Path
) -> float | None:
    """From the mean time of a step in this session, which includes validations; None if the end is unknown."""
    if not rows or session is None:
        return None
    last = int(rows[-1]["step"])
    total = min(end[1], end[0] * _count_steps_per_epoch(rows))
    (began, first), now = session, file.stat().st_mtime
    if math.isinf(total) or math.isnan(total) or last <= first or now <= began:
        return None
    return max(0.0, (total - last) * (now - began) / (last - first))


def _count_steps_per_epoch(rows: Sequence[Mapping[str, str]]) -> float:
    """The steps of an epoch, from the last row of an epoch that is over; infinite while there is none."""
    newest = float(rows[-1].get("epoch") or 0)
    for row in reversed(rows):
        epoch = float(row.get("epoch") or 0)
        if 0 < epoch < newest or (epoch > 0 and row.get("val/l1")):
            return int(row["step"]) / epoch
    return math.inf
