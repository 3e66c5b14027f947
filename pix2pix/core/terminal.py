"""Colours and bold text for terminals, and nothing of it anywhere else."""

import logging
import os
import sys
from typing import IO, Any, Literal

CODES = {"bold": 1, "quiet": 2, "red": 31, "green": 32, "yellow": 33}
Style = Literal["bold", "quiet", "red", "green", "yellow"]


def is_styled(stream: IO[str]) -> bool:
    """Whether a stream is a terminal that shows colours. NO_COLOR (https://no-color.org) turns them off."""
    return is_live(stream) and not os.environ.get("NO_COLOR")


def is_live(stream: IO[str]) -> bool:
    """Whether a stream is a terminal on which written lines can be written over."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def style(text: str, *styles: Style, stream: IO[str] | None = None) -> str:
    """The text in these styles if the stream, by default the standard output, shows them."""
    if not styles or not is_styled(stream or sys.stdout):
        return text
    return f"\033[{';'.join(str(CODES[name]) for name in styles)}m{text}\033[0m"


class StyledFormatter(logging.Formatter):
    """The message alone: warnings in yellow and errors in red on a terminal."""

    def __init__(self, stream: IO[str]) -> None:
        super().__init__("%(message)s")
        self.stream = stream

    def format(self, record: logging.LogRecord) -> str:
        """The message in the colour of its level."""
        colour: Any = "red" if record.levelno >= logging.ERROR else "yellow"
        text = super().format(record)
        return style(text, colour, stream=self.stream) if record.levelno >= logging.WARNING else text
