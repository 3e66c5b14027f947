"""Reads metrics.csv."""

import csv
import os
from pathlib import Path

TAIL_BYTES = 2**16  # of a long file, where its newest rows are
ENCODING = "utf-8-sig"  # with or without the mark that spreadsheets put before the text


def read_metrics(path: Path) -> list[dict[str, str]]:
    """The rows of a metrics file; a value is "" if it was not logged. Empty if there is no file.

    Lines that are not rows are skipped; without a header all are.
    """
    return parse_metrics(path)[0]


def read_newest_metrics(path: Path) -> list[dict[str, str]]:
    """The last rows of a metrics file, as many as are in its last 64 KiB: of a long file only these are read."""
    if not path.is_file():
        return []
    with path.open("rb") as file:
        header = file.readline(TAIL_BYTES)
        start = max(len(header), os.fstat(file.fileno()).st_size - TAIL_BYTES)
        file.seek(start)
        if start > len(header):
            file.readline(TAIL_BYTES)  # the rest of a row
        columns = split_cells(header.decode(ENCODING, errors="replace").rstrip("\r\n"))
        lines = file.read().decode("utf-8", errors="replace").rpartition("\n")[0].splitlines()  # no half-written row
    rows = (_parse_row(columns, line) for line in lines) if "step" in columns else ()
    return [row for row in rows if row is not None]


def parse_metrics(path: Path) -> tuple[list[dict[str, str]], str]:
    """The rows, and the place of the first damaged line, such as `line 7`; "" if no line is damaged."""
    lines = path.read_text(encoding=ENCODING, errors="replace").splitlines() if path.is_file() else []
    if not any(lines):
        return [], ""
    columns = split_cells(lines[0])
    if "step" not in columns or len({*columns}) < len(columns):
        return [], "line 1"
    rows = [_parse_row(columns, line) for line in lines[1:]]
    # A power cut may leave half a last line. That is no damage, and neither are empty lines.
    broken = [number for number, row in enumerate(rows[:-1], start=2) if row is None and lines[number - 1]]
    return [row for row in rows if row is not None], f"line {broken[0]}" if broken else ""


def rows_by_step(path: Path) -> list[dict[str, float]]:
    """The numbers of a metrics file, one row for each step: what was logged at that step, with `step` first."""
    steps: dict[int, dict[str, float]] = {}
    for row in read_metrics(path):
        step = int(row["step"])
        numbers = {name: float(value) for name, value in row.items() if value and name != "step"}
        steps.setdefault(step, {"step": step}).update(numbers)
    return [steps[step] for step in sorted(steps)]


def read_last_step(path: Path) -> int | None:
    """The step of the last row, without reading the file from its start; None if there is no row."""
    try:
        rows = read_newest_metrics(path)
    except OSError:
        return None
    return int(rows[-1]["step"]) if rows else None


def _parse_row(columns: list[str], line: str) -> dict[str, str] | None:
    """A step and metrics, "" if not logged; None if the line is not a row."""
    cells = split_cells(line)
    if len(cells) != len(columns):
        return None
    row = dict(zip(columns, cells, strict=True))
    try:
        int(row["step"])
        list(map(float, filter(None, cells)))
    except ValueError:
        return None
    return row


def split_cells(line: str) -> list[str]:
    """The cells of a line; none where it is not CSV."""
    if '"' not in line:  # as nearly always; `csv` takes four times as long
        return line.rstrip("\r\n").split(",") if line.strip("\r\n") else []
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return []
