"""Ends processes with those that they started, on every system."""

import os
import signal
from typing import Protocol

import psutil

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has no SIGKILL: there SIGTERM ends a process at once


class HasPid(Protocol):
    """A process, of `subprocess` or of another library."""

    pid: int


def signal_tree(process: HasPid, number: int) -> None:
    """Sends a signal to a process that was started in a session of its own, and to the processes that it started.

    Windows has no such signals: there they all end at once, and a training resumes from its last checkpoint.
    """
    if hasattr(os, "killpg"):
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
