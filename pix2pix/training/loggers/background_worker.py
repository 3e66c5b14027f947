"""Sends data to a slow or unreachable service in a thread, so that training never waits for it."""

import logging
import queue
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

MAX_QUEUED = 10_000


class BackgroundWorker:
    """Does what it is handed one after the other, on a thread of its own; stops at the first error, and says so once.

    Args:
        service: its name, for what is said.
        remedy: what to say to a user whose service failed.
        abandon: leaves a service that failed to itself, so that the program's end does not wait for it.
    """

    def __init__(self, service: str, remedy: str, abandon: Callable[[], None]) -> None:
        self.service, self.remedy, self.abandon = service, remedy, abandon
        self.failed = False
        self._waiting: queue.Queue[Callable[[], None] | None] = queue.Queue(MAX_QUEUED)
        self._thread = threading.Thread(target=self._work, name=service, daemon=True)
        self._thread.start()

    def submit(self, errand: Callable[[], None]) -> None:
        """Takes an errand and returns at once."""
        if self.failed:
            return
        try:
            self._waiting.put_nowait(errand)
        except queue.Full:
            self._give_up(f"it has not answered for {MAX_QUEUED} rows")

    def finish(self, patience: float) -> None:
        """Waits until everything is done, at most `patience` seconds."""
        if self.failed:
            return
        self._waiting.put(None)
        self._thread.join(patience)
        if self._thread.is_alive():
            self._give_up(f"it did not accept everything within {patience:.0f} seconds")

    def _work(self) -> None:
        while (errand := self._waiting.get()) is not None and not self.failed:
            try:
                errand()
            except Exception as error:  # whatever happens to a service is not the training's affair
                self._give_up(f"{type(error).__name__}: {error}")

    def _give_up(self, why: str) -> None:
        if self.failed:
            return
        self.failed = True
        log.warning("%s failed (%s). Training continues without it. %s", self.service, why, self.remedy)
        self.abandon()
