"""Interfaces of the loggers. metrics.csv and samples/ are the complete record; other loggers display it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from pix2pix.config.schema import RunConfig
from pix2pix.core.addresses import hide_secrets_in
from pix2pix.runs.run import Run
from pix2pix.runs.sample_sheets import Sheet


class RunLogger(Logger):
    """A logger that writes to the directory of the run.

    Args:
        directory: the run.
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
        """Empty: a run has one version."""
        return ""

    @rank_zero_only
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing: config.yaml has the configuration."""


@runtime_checkable
class SupportsSampleSheets(Protocol):
    """A logger that shows sample sheets."""

    def log_sheet(self, sheet: Sheet) -> None:
        """Logs the rows of a sheet, each at the same index as in every other run."""


@runtime_checkable
class SupportsTables(Protocol):
    """A logger that shows tables of pictures and numbers."""

    def log_table(self, rows: Sequence[Mapping[str, Any]], step: int) -> None:
        """Logs rows with equal columns; pictures are Pillow images."""


def log_settings(loggers: Iterable[Logger], config: RunConfig) -> None:
    """Sends the settings to the loggers as hyperparameters. Most of ours ignore them: the run holds its settings."""
    settings = {name: value for name, value in hide_secrets_in(config.to_mapping()).items() if name != "logger"}
    for logger in loggers:
        logger.log_hyperparams(settings)
