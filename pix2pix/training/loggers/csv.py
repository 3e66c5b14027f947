"""Logs all metrics to metrics.csv by training step, and flushes each row to disk."""

import csv
import io
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from pytorch_lightning.utilities import rank_zero_only

from pix2pix.core.atomic_files import flush_to_disk, write_text_atomic
from pix2pix.runs.directory_lock import rename_aside
from pix2pix.runs.metrics import ENCODING, parse_metrics, read_metrics, split_cells
from pix2pix.training.loggers.base import RunLogger

log = logging.getLogger(__name__)

UNREADABLE = ("metrics.unreadable", ".csv")  # the new name of a file that cannot be continued


class MetricsCsv(RunLogger):
    """Writes one row per logged step and one column per metric to `metrics.csv`, flushed row by row.

    A resumed run continues the file. Rows from the step it resumes from on are dropped, so that no step appears twice.
    An unreadable file never stops a training: it is renamed, with a warning. Lightning's CSVLogger writes
    every hundred steps, does not flush to disk, and starts another file when a training is resumed.

    Args:
        directory: the run.
    """

    kind = "csv"

    def __init__(self, directory: str) -> None:
        super().__init__(directory)
        self.path = self.run.path / "metrics.csv"
        self.columns: list[str] | None = None
        self._waiting: list[dict[str, str]] = []  # rows that could not be written yet

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Appends one row; a new metric gets a column."""
        self._waiting.append({"step": str(step)} | {name: f"{value:.6g}" for name, value in metrics.items()})
        try:
            while self._waiting:
                self._append(self._waiting[0])
                self._waiting.pop(0)
        except OSError as error:
            log.warning("%s: cannot be written (%s). Its rows wait until there is room.", self.path, error)

    def _append(self, row: dict[str, str]) -> None:
        if self.columns is None:
            self._open_existing(int(row["step"]))
        elif read_header(self.path) != self.columns:
            self._restart_file()
        assert self.columns is not None
        # A new column changes the header, so the whole file is written again, atomically.
        new = [name for name in row if name not in self.columns]
        if new:
            self._rewrite(read_metrics(self.path), [*self.columns, *new])
        with self.path.open("a", newline="", encoding="utf-8") as file:
            end = file.tell()
            try:
                csv.DictWriter(file, self.columns, lineterminator="\n").writerow(row)
                flush_to_disk(file)
            except OSError:
                os.truncate(self.path, end)  # removes a partial row
                raise

    def _open_existing(self, step: int) -> None:
        """Keeps the rows before `step` of the file of an earlier session."""
        rows, broken = parse_metrics(self.path)
        if broken:
            aside = rename_aside(self.path, *UNREADABLE)
            log.warning("%s: %s is not a row of metrics. The file was renamed to %s.", self.path, broken, aside.name)
            log.warning("%d of its rows can be read, and are kept.", len(rows))
        # A killed session may have logged steps after its last checkpoint. They are trained and logged again.
        rows = [row for row in rows if int(row["step"]) < step]
        self._rewrite(rows, list(rows[0]) if rows else [])

    def _restart_file(self) -> None:
        """Writes the header again after somebody removed, emptied or replaced the file during the training."""
        if self.path.is_file() and self.path.stat().st_size:
            aside = rename_aside(self.path, *UNREADABLE)
            log.warning("%s was replaced during the training. The new file was renamed to %s.", self.path, aside.name)
        else:
            log.warning("%s was removed during the training. It is written anew, without the earlier rows.", self.path)
        self._rewrite([], self.columns or [])

    def _rewrite(self, rows: list[dict[str, str]], columns: list[str]) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text_atomic(self.path, text.getvalue())
        self.columns = columns


def read_header(path: Path) -> list[str]:
    """The columns in the first line of a metrics file; none if it is missing or empty."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding=ENCODING, errors="replace") as file:
        return split_cells(file.readline())
