"""The log of a run: `train.log` in its directory holds the messages and warnings of all its sessions."""

import contextlib
import logging
import shlex
import sys
import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from pix2pix.core.addresses import hide_secrets

NAME = "train.log"
MAX_BYTES = 4 * 2**20  # of one session; a file of more becomes train.log.1 when the next session begins
MAX_WAITING = 1000  # messages before the run is known

log = logging.getLogger(__name__)


class TrainLog(logging.Handler):
    """Collects messages until it is known which run they belong to, then appends them to the log of that run.

    The file is only appended to, line by line, so that loader processes may write to it, too, and a kill loses nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S"))
        self._waiting: deque[str] = deque(maxlen=MAX_WAITING)
        self._file: IO[str] | None = None
        self._bytes_left = MAX_BYTES

    def open(self, run: Path) -> None:
        """Opens the log of a run, and writes the messages that waited for it. Warns if it cannot be written."""
        path = run / NAME
        try:
            if path.is_file() and path.stat().st_size > MAX_BYTES:
                path.replace(path.with_name(f"{NAME}.1"))
            self._file = path.open("a", buffering=1, encoding="utf-8", errors="backslashreplace")
        except OSError as error:  # the log is for people: a training does not need it
            log.warning("%s: cannot be written (%s). The messages of this session are not kept.", path, error.strerror)
            return
        self._write(f"--- {shlex.join(['pix2pix', *sys.argv[1:]])}")
        for line in self._waiting:
            self._write(line)

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a message, or keeps it for the run."""
        line = self.format(record)
        if self._file is None:
            self._waiting.append(line)
        else:
            self._write(line)

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
        super().close()

    def _write(self, line: str) -> None:
        assert self._file is not None
        size = len(line.encode(errors="backslashreplace"))
        if self._bytes_left > 0:
            line = line if size < self._bytes_left else "The log is full: nothing more is written in this session."
            with contextlib.suppress(OSError):  # a full disk must not stop the training
                self._file.write(f"{hide_secrets(line)}\n")
        self._bytes_left -= size


@contextmanager
def collect_messages() -> Iterator[TrainLog]:
    """Collects the messages and warnings of this process, and the error that ends the block, in a log."""
    train_log, shown = TrainLog(), warnings.showwarning

    def show_warning(message: Any, category: type[Warning], filename: str, *place: Any, **more: Any) -> None:
        shown(message, category, filename, *place, **more)
        train_log.handle(_make_record(logging.WARNING, f"{category.__name__}: {message}"))

    logging.getLogger().addHandler(train_log)
    warnings.showwarning = show_warning
    try:
        yield train_log
    except Exception as error:
        train_log.handle(_make_record(logging.ERROR, "The training ended with an error.", error))
        raise
    finally:
        warnings.showwarning = shown
        logging.getLogger().removeHandler(train_log)
        train_log.close()


def _make_record(level: int, message: str, error: BaseException | None = None) -> logging.LogRecord:
    exc_info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord(__name__, level, __file__, 0, message, None, exc_info)
