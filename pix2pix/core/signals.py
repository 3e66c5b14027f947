"""Handles the signals that ask a training to stop: it stops between two steps and saves."""

import os
import signal
import threading
from types import FrameType
from typing import Any


def _find_signals(*names: str) -> tuple[int, ...]:
    return tuple(getattr(signal, name) for name in names if hasattr(signal, name))  # Windows lacks some


USER_SIGNALS = _find_signals("SIGTERM", "SIGINT", "SIGHUP")  # a closed terminal sends SIGHUP
CLUSTER_SIGNALS = _find_signals("SIGUSR1", "SIGUSR2")  # clusters and their launchers send them before a time limit
STOP_SIGNALS = (*USER_SIGNALS, *CLUSTER_SIGNALS)
WORKER_GRACE_SECONDS = 60  # for which a data loading process survives a SIGTERM


class TrainingInterrupted(SystemExit):
    """The training was asked to stop and has saved. The exit code is 128 + the signal, 143 for SIGTERM."""

    def __init__(self, number: int | None) -> None:
        super().__init__(128 + (number or signal.SIGTERM))


class TimeLimitReached(SystemExit):
    """The time limit of the training is reached and its state is saved; the same command resumes it."""

    def __init__(self) -> None:
        super().__init__(0)


class StopSignals:
    """Listens for stop signals. A second Ctrl-C interrupts at once."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._previous: dict[int, Any] = {}

    def listen(self) -> None:
        """Installs the handler in the main thread; Python allows it in no other. Under `nohup` SIGHUP stays ignored."""
        if threading.current_thread() is threading.main_thread():
            self.received = None
            # An ignored SIGHUP stays ignored. The previous handlers are kept for `restore` and for the launcher.
            numbers = [number for number in STOP_SIGNALS if not _is_ignored_hangup(number)]
            self._previous = {number: signal.signal(number, self._record) for number in numbers}

    def restore(self) -> None:
        """Gives the signals back to their previous handlers."""
        # None stands for a handler that was not installed from Python, which cannot be put back.
        for number, handler in self._previous.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def forward_to_launcher(self) -> None:
        """Sends a cluster's signal again, to the previous handler: the launcher's, which may requeue the job."""
        if self.received in CLUSTER_SIGNALS and callable(self._previous.get(self.received)):
            os.kill(os.getpid(), self.received)

    def _record(self, number: int, _frame: FrameType | None) -> None:
        # The handler only notes the signal: a step that is interrupted could not be saved.
        if number == signal.SIGINT and self.received is not None:
            raise KeyboardInterrupt
        self.received = number


def ignore_stop_signals(_worker: int) -> None:
    """Keeps a data loading process alive until the training has saved: it ends with the training.

    Terminals, `timeout` and clusters signal all processes of a job at once. After a SIGTERM the process ends anyway,
    WORKER_GRACE_SECONDS later: its parent sends one when nothing else ends it.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end_later if hasattr(signal, "alarm") else signal.SIG_DFL)


def _end_later(_number: int, _frame: FrameType | None) -> None:
    signal.alarm(WORKER_GRACE_SECONDS)


def _is_ignored_hangup(number: int) -> bool:
    return number == getattr(signal, "SIGHUP", None) and signal.getsignal(number) is signal.SIG_IGN
