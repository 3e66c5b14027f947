"""Writes files and folders atomically: under a temporary name first, then renamed. A kill leaves no half of them.

The temporary name is fixed, so that what a killed process leaves is overwritten by the next one, which a `tempfile`
would not do.
"""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

try:
    import fcntl
except ImportError:  # Windows cannot lock folders
    fcntl: Any = None

REFUSALS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
LONGEST_NAME = 255  # bytes, on all usual disks


def temporary_path(path: Path) -> Path:
    """The hidden name beside `path` under which it is written. A killed process may leave it behind."""
    name = f".{path.name}.part"
    if len(os.fsencode(name)) > LONGEST_NAME:  # the file itself may have the longest name that a disk takes
        name = f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()}.part"
    return path.with_name(name)


def is_temporary(path: Path) -> bool:
    """Whether a file or folder is being written under its temporary name, or was left there by a killed process."""
    return path.name.startswith(".") and path.suffix == ".part"


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yields a temporary file, which replaces `path` when the block succeeds and is removed when it fails.

    Raises IsADirectoryError for a folder, before the block.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a folder. Name a file.")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = temporary_path(path)
    if part.is_symlink():  # a link in a foreign folder must not choose what is overwritten
        part.unlink()
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
    """Yields an empty temporary folder, which replaces the folder `path` when the block succeeds.

    A kill leaves the old folder or the new one, complete. Between two renames `path` is missing for a moment; after a
    kill in that moment, the next write first brings the old folder back. A link stays, and its folder is replaced.

    Raises ValueError for `.` and the like, and OSError if another process is writing the folder.
    """
    if path.name in {"", ".."}:
        raise ValueError(f"{path}: the folder in which a command runs cannot be replaced. Name another, as {path}/new.")
    path = path.resolve() if path.is_symlink() else path
    is_parent_new = not path.parent.exists()
    part, former = temporary_path(path), temporary_path(path.with_name(f"{path.name}.former"))
    with _hold_empty_folder(part, path):
        _restore(former, path)
        try:
            with _naming_refusals(path):
                yield part
            if path.exists():
                path.replace(former)  # one step, where deleting the old folder takes many
            part.replace(path)
        finally:
            _restore(former, path)
            _remove(part)
            if is_parent_new:  # a block that fails leaves nothing
                with suppress(OSError):  # not empty
                    path.parent.rmdir()


@contextmanager
def _hold_empty_folder(part: Path, path: Path) -> Iterator[None]:
    """Makes the temporary folder of `path`, or empties what a killed process left, and locks it within the block."""
    while (descriptor := _open_locked(part, path)) is None:
        continue
    try:
        for left in part.iterdir():
            _remove(left)
        yield
    finally:
        os.close(descriptor)


def _open_locked(part: Path, path: Path) -> int | None:
    """The descriptor that holds the lock on the folder; None if another process has renamed it meanwhile."""
    if part.is_symlink() or part.is_file():  # a link in a foreign run must not choose what is overwritten
        part.unlink()
    part.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(part, os.O_RDONLY) if fcntl else os.open(os.devnull, os.O_RDONLY)
    try:
        if fcntl:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise OSError(f"{path}: another process is writing it. Wait until that has ended.") from error
    except OSError:  # a file system without locks
        return descriptor
    if not fcntl or (part.is_dir() and os.path.samestat(os.fstat(descriptor), part.stat())):
        return descriptor
    os.close(descriptor)
    return None


def _restore(former: Path, path: Path) -> None:
    """Brings the old folder back if nothing has replaced it, and deletes it otherwise."""
    if former.is_dir() and not former.is_symlink() and not path.exists():
        former.replace(path)
    _remove(former)


def _remove(path: Path) -> None:
    """Deletes a file, a link or a folder, as far as the system allows it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    elif os.path.lexists(path):
        with suppress(OSError):
            path.unlink()


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
