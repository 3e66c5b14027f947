"""Starts `pix2pix demo` for runs that are chosen on the dashboard, in a process that ends with it."""

import atexit
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from pix2pix.core.processes import import_environment

POLL_SECONDS = 0.1


class DemoProcesses:
    """The demos that a dashboard has started, each once for the same runs.

    Args:
        options: options of `pix2pix demo` for all of them, such as `--seed=3`.
    """

    def __init__(self, options: Sequence[str] = ()) -> None:
        self._options = options
        self._running: dict[tuple[Path, ...], tuple[subprocess.Popen[bytes], str]] = {}
        self._lock = threading.Lock()
        atexit.register(self.stop)

    def start(self, runs: Sequence[Path]) -> str:
        """The address of the demo of these runs. Raises ValueError with its last words if it does not start."""
        key = tuple(runs)
        with self._lock:
            process, address = self._running.get(key, (None, ""))
            if process is None or process.poll() is not None:
                self._running[key] = process, address = _start([*map(str, runs), *self._options])
            return address

    def stop(self) -> None:
        """Ends all demos."""
        for process, _ in self._running.values():
            process.terminate()
            process.wait()
        self._running.clear()


def _start(words: Sequence[str]) -> tuple[subprocess.Popen[bytes], str]:
    """The process and its address, which the command says when the translators are loaded."""
    command = [sys.executable, "-m", "pix2pix.cli", "demo", *words, "--no-browser"]
    # A file: a pipe would have to be read for as long as the demo lasts.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        log = Path(folder) / "demo.log"
        with log.open("wb") as said:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                env=os.environ | import_environment(),
            )
        while True:
            has_ended = process.poll() is not None
            lines = log.read_text("utf-8", errors="replace").splitlines()
            address = next((line.split()[0] for line in lines if line.startswith("http")), "")
            if address:
                return process, address
            if has_ended:
                raise ValueError(lines[-1] if lines else "the demo ended without a message.")
            time.sleep(POLL_SECONDS)
