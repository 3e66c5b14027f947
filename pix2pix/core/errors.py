"""Prints errors that a user can correct as one sentence; all others keep their traceback."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pix2pix.core.addresses import hide_secrets


@contextmanager
def exit_with_message(*kinds: type[Exception], words: Callable[[Exception], str] = str) -> Iterator[None]:
    """Ends the program with a sentence for ValueError, OSError and `kinds`; PIX2PIX_TRACEBACK=1 shows the traceback."""
    try:
        yield
    except (ValueError, OSError, *kinds) as error:
        if os.environ.get("PIX2PIX_TRACEBACK"):
            raise
        raise SystemExit(f"pix2pix: {hide_secrets(_from_worker(words(error)))}") from error


def _from_worker(text: str) -> str:
    """A loader worker's error without the traceback that torch puts before it."""
    if not text.startswith("Caught ") or " in DataLoader worker" not in text:
        return text
    return text.strip().splitlines()[-1].partition(": ")[2]
