"""Reads metrics.csv."""

import csv
from pathlib import Path

ENCODING = "utf-8-sig"  # with or without the mark that spreadsheets put before the text


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a metrics file, a value "" where nothing was logged; none where there is no file.

    Lines that are no rows are left out: of a file without its header all of them.
    """
    return _parsed(path)[0]


def _parsed(path: Path) -> tuple[list[dict[str, str]], str]:
    """The rows, and the first line that is none, in words; the last one may be half a line, left by a power cut."""
    lines = path.read_text(encoding=ENCODING, errors="replace").splitlines() if path.is_file() else []
    if not any(lines):
        return [], ""
    columns = _cells(lines[0])
    if "step" not in columns or len({*columns}) < len(columns):
        return [], "line 1"
    rows = [_row(columns, line) for line in lines[1:]]
    broken = [place for place, row in enumerate(rows[:-1], start=2) if row is None and lines[place - 1]]
    return [row for row in rows if row is not None], f"line {broken[0]}" if broken else ""


def _row(columns: list[str], line: str) -> dict[str, str] | None:
    """A step and metrics, "" where nothing was logged; None for a line that is none."""
    cells = _cells(line)
    if len(cells) != len(columns):
        return None
    row = dict(zip(columns, cells, strict=True))
    try:
        int(row["step"])
        list(map(float, filter(None, cells)))
    except ValueError:
        return None
    return row


def _cells(line: str) -> list[str]:
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return []
