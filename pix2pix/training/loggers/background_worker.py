"""Sends data to a slow or unreachable service in a thread, so that training never waits for it."""

import logging
import queue
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

Task = Callable[[], None]

MAX_QUEUED = 10_000


class BackgroundWorker:
    """Runs tasks one after the other in its own daemon thread. After the first error it warns once and runs no more.

    Args:
        service: the name of the service, for messages.
        remedy: what the warning tells the user about the data that were not sent.
        kill_service: ends the client of a failed service, so that the program can exit without it.
    """

    def __init__(self, service: str, remedy: str, kill_service: Task) -> None:
        self.service, self.remedy, self.kill_service = service, remedy, kill_service
        self.failed = False
        self._tasks: queue.Queue[Task | None] = queue.Queue(MAX_QUEUED)
        self._thread = threading.Thread(target=self._work, name=service, daemon=True)
        self._thread.start()

    def submit(self, task: Task) -> None:
        """Queues a task and returns at once."""
        if self.failed:
            return
        try:
            self._tasks.put_nowait(task)
        except queue.Full:
            self._fail(f"{MAX_QUEUED} rows are waiting to be sent")

    def finish(self, timeout: float) -> None:
        """Waits until all tasks are done, for at most `timeout` seconds."""
        if self.failed:
            return
        self._tasks.put(None)  # after all tasks: the thread ends when it reaches it
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._fail(f"it did not accept everything within {timeout:.0f} seconds")

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None and not self.failed:
            try:
                task()
            except Exception as error:  # no error of a service may stop the training
                self._fail(f"{type(error).__name__}: {error}")

    def _fail(self, reason: str) -> None:
        if self.failed:
            return
        self.failed = True
        log.warning("%s failed (%s). Training continues without it. %s", self.service, reason, self.remedy)
        self.kill_service()
