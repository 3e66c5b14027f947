"""Handles signals that ask a training to end: it stops between two steps."""

import os
import signal
import threading
from types import FrameType
from typing import Any

# A terminal that is closed sends SIGHUP; SIGUSR1 and SIGUSR2 are what clusters and their launchers send before a time
# limit. Windows has none of the three.
NAMES = ("SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2")
ASKING = tuple(getattr(signal, name) for name in NAMES if hasattr(signal, name))


LINGER = 60  # seconds that a process which loads data outlives a SIGTERM


class TrainingInterrupted(SystemExit):
    """The training was asked to end, and saved what it had. The exit code is the signal's, 143 for SIGTERM."""

    def __init__(self, number: int | None) -> None:
        super().__init__(128 + (number or signal.SIGTERM))


class TimeLimitReached(SystemExit):
    """The time limit of the training is reached and its state is saved; the same command resumes it."""

    def __init__(self) -> None:
        super().__init__(0)


class StopSignals:
    """Listens for the signals that ask to end; a second Ctrl-C interrupts at once."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def listen(self) -> None:
        """Takes the signals over. Only a program's main thread can.

        SIGHUP stays ignored where it is: that is what `nohup` is for.
        """
        if threading.current_thread() is threading.main_thread():
            self.received = None
            ours = [number for number in ASKING if not _is_kept_from_us(number)]
            self._before = {number: signal.signal(number, self._note) for number in ours}

    def restore(self) -> None:
        """Gives them back to whoever had them."""
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def forward_to_launcher(self) -> None:
        """Sends a cluster's signal on to the launcher that had asked for it, which may queue the job again."""
        theirs = self.received in {getattr(signal, "SIGUSR1", None), getattr(signal, "SIGUSR2", None)}
        if self.received is not None and theirs and callable(self._before.get(self.received)):
            os.kill(os.getpid(), self.received)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.received is not None:
            raise KeyboardInterrupt
        self.received = number


def ignore_stop_signals(_worker: int) -> None:
    """Keeps a process that loads data from ending before the training has saved: it ends with the training.

    Terminals, `timeout` and clusters signal all processes of a job at once. A SIGTERM may also be its parent's, which
    sends one where all else has failed, so it ends the process in the end.
    """
    for number in ASKING:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end_later if hasattr(signal, "alarm") else signal.SIG_DFL)


def _end_later(_number: int, _frame: FrameType | None) -> None:
    signal.alarm(LINGER)


def _is_kept_from_us(number: int) -> bool:
    return number == getattr(signal, "SIGHUP", None) and signal.getsignal(number) is signal.SIG_IGN
