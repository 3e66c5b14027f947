"""Writes files and folders atomically: under a temporary name first, then renamed. A kill leaves no half of them.

The temporary name is fixed, so that what a killed process leaves is overwritten by the next one, which a `tempfile`
would not do.
"""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

REFUSALS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
LONGEST_NAME = 255  # bytes, on all usual disks


def temporary_path(path: Path) -> Path:
    """The hidden name beside `path` under which it is written. A killed process may leave it behind."""
    name = f".{path.name}.part"
    if len(os.fsencode(name)) > LONGEST_NAME:  # the file itself may have the longest name that a disk takes
        name = f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()}.part"
    return path.with_name(name)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yields a temporary file, which replaces `path` when the block succeeds and is removed when it fails.

    Raises IsADirectoryError for a folder, before the block.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a folder. Name a file.")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = temporary_path(path)
    try:
        with _naming_refusals(path):
            yield part
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _naming_refusals(path: Path) -> Iterator[None]:
    """Adds the path to the error of a disk that takes no more bytes: for an open file Python names none."""
    try:
        yield
    except OSError as error:
        if error.errno not in REFUSALS or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def atomic_dir(path: Path) -> Iterator[Path]:
    """Yields a temporary folder for the block to create, which replaces the folder `path` when the block succeeds.

    A kill leaves the old folder or the new one, complete. Between two renames `path` is missing for a moment; after a
    kill in that moment, the next write first brings the old folder back.
    """
    part, former = temporary_path(path), temporary_path(path.with_name(f"{path.name}.former"))
    _restore(former, path)
    shutil.rmtree(part, ignore_errors=True)
    try:
        with _naming_refusals(path):
            yield part
        if path.exists():
            path.replace(former)  # one step, where deleting the old folder takes many
        part.replace(path)
    finally:
        _restore(former, path)
        shutil.rmtree(part, ignore_errors=True)


def _restore(former: Path, path: Path) -> None:
    """Brings the old folder back if nothing has replaced it, and deletes it otherwise."""
    if former.exists() and not path.exists():
        former.replace(path)
    shutil.rmtree(former, ignore_errors=True)


def write_text_atomic(path: Path, text: str) -> None:
    """Writes a file whole or not at all, so that neither a reader nor a killed process ever sees half of it.

    The encoding is UTF-8 whatever the locale. Bytes of file names that are not UTF-8 are written unchanged.
    """
    with atomic_file(path) as part, part.open("w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
        flush_to_disk(file)


def flush_to_disk(file: IO[Any]) -> None:
    """Flushes a file to the disk (fsync), so that after a power cut no file is in place without its content."""
    file.flush()
    os.fsync(file.fileno())
