"""Where the numbers and pictures of a training go. metrics.csv and samples/ are the record; the others show it."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from pix2pix.sheets import Sheet


@runtime_checkable
class TakesSheets(Protocol):
    """A logger that shows the sheets of samples."""

    def log_sheet(self, sheet: Sheet) -> None:
        """Shows each row of the sheet at the same place as in every other run."""


@runtime_checkable
class TakesTable(Protocol):
    """A logger that shows a table of pictures and numbers."""

    def log_table(self, rows: Sequence[Mapping[str, Any]], step: int) -> None:
        """Shows rows of equal columns; a picture is a Pillow image."""
