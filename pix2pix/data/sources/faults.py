"""Faults in the files of a data set: training stops at the first one, `pix2pix data check` lists all."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple


class Fault(NamedTuple):
    """One fault.

    Args:
        kind: an identifier: `unmatched`, `same-name`, `odd-width`, `layout`, `row`, `empty`, `no-train`.
        error: the error of a training.
        files: those that have the fault, where it is that of single files.
        folders: names of A's and B's folders by which pairs might be found.
    """

    kind: str
    error: ValueError | OSError
    files: Sequence[Path] = ()
    folders: tuple[str, str] | None = None


Report = Callable[[Fault], None]
"""Takes a fault. If it returns, the reader leaves out what has the fault and continues."""


class FaultLog:
    """Passes faults on to `report`, and remembers whether there were any."""

    def __init__(self, report: Report) -> None:
        self._report, self.has_faults = report, False

    def report(self, fault: Fault) -> None:
        """Reports a fault."""
        self.has_faults = True
        self._report(fault)


def raise_fault(fault: Fault) -> None:
    """Raises the error of a fault."""
    raise fault.error


def raise_all_but_odd_widths(fault: Fault) -> None:
    """Raises the error of a fault, but for an odd width, which raises the same error when the file is read."""
    if fault.kind != "odd-width":
        raise fault.error
