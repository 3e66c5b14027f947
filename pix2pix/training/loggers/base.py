"""Interfaces of the loggers. metrics.csv and samples/ are the record; other loggers display it."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from pix2pix.runs.run import Run
from pix2pix.runs.sample_sheets import Sheet


class RunLogger(Logger):
    """A logger that keeps what it writes in the directory of the run.

    Args:
        directory: of the run.
    """

    kind: ClassVar[str]

    def __init__(self, directory: str) -> None:
        super().__init__()
        self.run = Run(directory)

    @property
    def name(self) -> str:
        """The kind of logger."""
        return self.kind

    @property
    def version(self) -> str:
        """Empty: there is one place in a run."""
        return ""

    @rank_zero_only
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the configuration stands in config.yaml."""


@runtime_checkable
class SupportsSampleSheets(Protocol):
    """A logger that shows the sheets of samples."""

    def log_sheet(self, sheet: Sheet) -> None:
        """Shows each row of the sheet at the same place as in every other run."""


@runtime_checkable
class SupportsTables(Protocol):
    """A logger that shows a table of pictures and numbers."""

    def log_table(self, rows: Sequence[Mapping[str, Any]], step: int) -> None:
        """Shows rows of equal columns; a picture is a Pillow image."""
