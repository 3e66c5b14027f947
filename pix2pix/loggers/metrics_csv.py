"""metrics.csv: every logged number against the training step, on disk as soon as it is logged."""

import csv
import io
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from pytorch_lightning.utilities import rank_zero_only

from pix2pix.loggers import RunLogger
from pix2pix.whole_files import sync, write

log = logging.getLogger(__name__)


class MetricsCsv(RunLogger):
    """One row for each time something was logged, one column for each metric, flushed row by row.

    A run that is resumed goes on in the same file: rows past the step it resumes from are dropped, so that no step
    stands there twice.

    Args:
        directory: of the run; the file is `metrics.csv` in it.
    """

    kind = "csv"

    def __init__(self, directory: str) -> None:
        super().__init__(directory)
        self.path = self.run.path / "metrics.csv"
        self.columns: list[str] | None = None
        self._waiting: list[dict[str, str]] = []  # rows that a full disk did not take

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Appends one row; a metric not seen before gets a column."""
        self._waiting.append({"step": str(step)} | {name: f"{value:.6g}" for name, value in metrics.items()})
        try:
            while self._waiting:
                self._append(self._waiting[0])
                self._waiting.pop(0)
        except OSError as error:
            log.warning("%s: cannot be written (%s). Its rows wait until there is room.", self.path, error)

    def _append(self, row: dict[str, str]) -> None:
        if self.columns is None:
            self._take_up(int(row["step"]))
        assert self.columns is not None
        new = [name for name in row if name not in self.columns]
        if new:
            self._rewrite(read(self.path), [*self.columns, *new])
        with self.path.open("a", newline="", encoding="utf-8") as file:
            end = file.tell()
            try:
                csv.DictWriter(file, self.columns, lineterminator="\n").writerow(row)
                sync(file)
            except OSError:
                os.truncate(self.path, end)  # never half a row
                raise

    def _take_up(self, step: int) -> None:
        rows = [row for row in read(self.path) if int(row["step"]) < step]
        self._rewrite(rows, list(rows[0]) if rows else [])

    def _rewrite(self, rows: list[dict[str, str]], columns: list[str]) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write(self.path, text.getvalue())
        self.columns = columns


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a metrics file, a value "" where nothing was logged; none where there is no file."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if None not in row.values()]
