"""Prints errors that a user can correct as one sentence; all others keep their traceback."""

import errno
import os
import re
import sys
import traceback
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from pix2pix.core.addresses import hide_secrets
from pix2pix.core.terminal import style

REMEDIES = {
    errno.EROFS: "Nothing can be written there: name another folder for what the command writes, or copy the run.",
    errno.EACCES: "This user may not use it: change its permissions, or name another folder.",
    errno.ENOSPC: "The disk is full: free some space, or name a folder on another disk.",
    errno.EDQUOT: "The quota of this user is used up: free some space, or name a folder on another disk.",
    errno.EFBIG: "No file may be as large: name a folder on another disk, or raise the limit (`ulimit -f`).",
    errno.ENAMETOOLONG: "The name is too long for this disk: choose a shorter one.",
    errno.EEXIST: "A file or a broken link is in the way there: remove it, or name another place.",
    errno.ENOTDIR: "A part of this path is a file, no folder: name another place.",
    errno.EMFILE: "Too many files are open: raise the limit (`ulimit -n`), or lower data.num_workers.",
    errno.ELOOP: "Links lead to each other in a circle there: remove them.",
}

SYMLINK_LOOP = re.compile(r"Symlink loop from '(.+)'")  # of Path.resolve
NEEDS_LESS = (
    "Smaller pictures, a smaller --tile, --scale or data.size, and --device cpu instead of a GPU need less. What was "
    "written is kept."
)


def describe_plainly(error: Exception) -> str:
    """The message of an error. The system's own, as `[Errno 30] Read-only file system: 'x'`, begin with the file."""
    if not isinstance(error, OSError) or error.errno is None or error.filename is None:
        return str(error)
    if error.errno == errno.ENOENT and Path(error.filename).is_symlink():
        return describe_broken_link(Path(error.filename))
    remedy = f" {REMEDIES[error.errno]}" if error.errno in REMEDIES else ""
    return f"{error.filename}: {error.strerror}.{remedy}"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the device or the system had no memory left; torch has an error of its own for devices."""
    kinds = {kind.__name__ for kind in type(error).mro()}
    return bool(kinds & {"MemoryError", "OutOfMemoryError"}) or "can't allocate memory" in str(error)


def first_line(error: BaseException) -> str:
    """The first line of an error's message; torch adds lines of its own program in C++. Its name if it has none."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def describe_broken_link(link: Path) -> str:
    """What is wrong with a link to nothing, and the remedy."""
    return f"{link}: is a link to {link.readlink()}, which is not there. Restore that file, or remove the link."


@contextmanager
def exit_with_message(
    *kinds: type[Exception], describe: Callable[[Exception], str] = describe_plainly
) -> Iterator[None]:
    """Ends the program with one sentence for ValueError, OSError and `kinds`, without a traceback.

    PIX2PIX_TRACEBACK=1 shows the traceback. `describe` returns the sentence.
    """
    try:
        yield
    except (ValueError, OSError, *kinds) as error:
        if os.environ.get("PIX2PIX_TRACEBACK"):
            raise
        raise _exit_saying(hide_secrets(_strip_worker_traceback(describe(error)))) from error
    except (RuntimeError, MemoryError) as error:
        if os.environ.get("PIX2PIX_TRACEBACK") or not (message := _describe_rare(error)):
            raise
        raise _exit_saying(message) from error


def _exit_saying(message: str) -> SystemExit:
    return SystemExit(f"{style('pix2pix:', 'bold', 'red', stream=sys.stderr)} {message}")


def _describe_rare(error: Exception) -> str:
    """The sentence for memory that ran out, and for links in a circle; empty for other errors."""
    if is_out_of_memory(error):
        return f"out of memory ({first_line(error)}). {NEEDS_LESS}"
    if loop := SYMLINK_LOOP.fullmatch(str(error)):
        return f"{loop[1]}: {REMEDIES[errno.ELOOP]}"
    return ""


def _strip_worker_traceback(text: str) -> str:
    """Removes the traceback that torch puts before the error of a data loading process."""
    if not text.startswith("Caught ") or " in DataLoader worker" not in text:
        return text
    # The last line of the traceback is `ValueError: the message`.
    return text.strip().splitlines()[-1].partition(": ")[2]


def find_line_outside(error: Exception, packages: Collection[str]) -> str:
    """The innermost line of an error that is in none of these packages, as `FILE, line N`; empty if there is none."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        if frame.f_globals.get("__name__", "").partition(".")[0] not in packages:
            return f"{frame.f_code.co_filename}, line {line}"
    return ""
