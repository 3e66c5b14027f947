"""Starts Python processes safely, ends processes with those that they started, and tells the first of a training."""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import psutil

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has no SIGKILL: there SIGTERM ends a process at once


class HasPid(Protocol):
    """A process, of `subprocess` or of another library."""

    pid: int


def signal_tree(process: HasPid, number: int) -> None:
    """Sends a signal to a process that was started in a session of its own, and to the processes that it started.

    Nothing happens to one that has ended.

    Windows has no such signals: there they all end at once, and a training resumes from its last checkpoint.
    """
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        return
    try:
        parent = psutil.Process(process.pid)
        tree = [*parent.children(recursive=True), parent]
    except psutil.NoSuchProcess:
        return
    for each in tree:
        try:
            each.terminate()
        except psutil.NoSuchProcess:
            continue  # it ended by itself


def import_environment() -> dict[str, str]:
    """Variables with which a Python process that this one starts imports from the same places.

    `python -m` would look into the current folder first. A file `torch.py` there would be taken for torch.
    """
    from_current_folder = bool(sys.path) and Path(sys.path[0] or ".").resolve() == Path.cwd()
    return {} if from_current_folder else {"PYTHONSAFEPATH": "1"}


def is_first_process() -> bool:
    """Whether this process is the only one of its training, or the first of several, which writes and logs for all."""
    from lightning_fabric.utilities.rank_zero import rank_zero_only  # takes seconds, and only trainings need it

    return not rank_zero_only.rank  # pyright: ignore[reportFunctionMemberAccess]
