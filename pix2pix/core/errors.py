"""Prints errors that a user can correct as one sentence; all others keep their traceback."""

import os
import sys
import traceback
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from pix2pix.core.addresses import hide_secrets
from pix2pix.core.terminal import style


@contextmanager
def exit_with_message(*kinds: type[Exception], describe: Callable[[Exception], str] = str) -> Iterator[None]:
    """Ends the program with one sentence for ValueError, OSError and `kinds`, without a traceback.

    PIX2PIX_TRACEBACK=1 shows the traceback. `describe` returns the sentence.
    """
    try:
        yield
    except (ValueError, OSError, *kinds) as error:
        if os.environ.get("PIX2PIX_TRACEBACK"):
            raise
        name = style("pix2pix:", "bold", "red", stream=sys.stderr)
        raise SystemExit(f"{name} {hide_secrets(_strip_worker_traceback(describe(error)))}") from error


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
