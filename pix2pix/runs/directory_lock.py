"""Locks a run directory for one training, and renames files and directories that a new one would overwrite."""

import itertools
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl: Any = None

log = logging.getLogger(__name__)

WAITING = "%s is being trained by another process; waiting for it to end."


@contextmanager
def lock_directory(directory: Path) -> Iterator[None]:
    """Holds a lock on the directory itself, which ends with the process, however that ends.

    The library filelock locks a file, which would stay beside every run, and in the run it would move with a directory
    that is renamed. Windows cannot lock directories: there it is filelock's hidden file beside it, `.NAME.lock`.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if fcntl is None:
        with _hold_lock_file(directory):
            yield
        return
    # While this process waited, the directory may have been renamed (`resume=never`): the lock is then on the old one.
    while (descriptor := _open_locked(directory)) is None:
        directory.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        os.close(descriptor)


def is_locked(directory: Path) -> bool:
    """Whether a process of this machine holds the lock on the directory, so that a training runs there."""
    if fcntl is None:
        try:
            with FileLock(directory.with_name(f".{directory.name}.lock"), timeout=0):
                return False
        except Timeout:
            return True
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)  # gives the lock back
    return False


@contextmanager
def _hold_lock_file(directory: Path) -> Iterator[None]:
    lock = FileLock(directory.with_name(f".{directory.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info(WAITING, directory)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _open_locked(directory: Path) -> int | None:
    """The descriptor that holds the lock; None if the directory was renamed while we waited for the lock."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        log.info(WAITING, directory)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    if directory.is_dir() and os.path.samestat(os.fstat(descriptor), directory.stat()):
        return descriptor
    os.close(descriptor)
    return None


def rename_aside(path: Path, stem: str, suffix: str = "") -> Path:
    """Renames a file or directory to `STEM-1SUFFIX`, or with the first number that is free. Returns its new path."""
    names = (path.with_name(f"{stem}-{number}{suffix}") for number in itertools.count(1))
    return path.rename(next(name for name in names if not name.exists()))
