"""Signals that ask a training to end: noted when they come, obeyed between two steps."""

import os
import signal
import threading
from types import FrameType
from typing import Any

# SIGUSR1 and SIGUSR2 are what clusters and their launchers send before a time limit; Windows has neither.
ASKING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGUSR1", "SIGUSR2") if hasattr(signal, name))


class Stopped(SystemExit):
    """The training was asked to end, and saved what it had. The exit code is the signal's, 143 for SIGTERM."""

    def __init__(self, number: int | None) -> None:
        super().__init__(128 + (number or signal.SIGTERM))


class Signals:
    """Listens for the signals that ask to end; a second Ctrl-C interrupts at once."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def listen(self) -> None:
        """Takes the signals over. Only a program's main thread can."""
        if threading.current_thread() is threading.main_thread():
            self.received = None
            self._before = {number: signal.signal(number, self._note) for number in ASKING}

    def ignore(self) -> None:
        """Gives them back to whoever had them."""
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def pass_on(self) -> None:
        """Sends a cluster's signal on to the launcher that had asked for it, which may queue the job again."""
        theirs = self.received in {getattr(signal, "SIGUSR1", None), getattr(signal, "SIGUSR2", None)}
        if self.received is not None and theirs and callable(self._before.get(self.received)):
            os.kill(os.getpid(), self.received)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.received is not None:
            raise KeyboardInterrupt
        self.received = number
