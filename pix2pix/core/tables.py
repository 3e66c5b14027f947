"""Tables for use from Python, and in Markdown."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any


def make_table(rows: Sequence[Mapping[str, Any]]) -> Any:
    """The rows as a `pandas.DataFrame` where pandas is installed, otherwise as a list of dictionaries."""
    if find_spec("pandas") is None:
        return [dict(row) for row in rows]
    import pandas as pd  # pyright: ignore[reportMissingImports]

    return pd.DataFrame.from_records(rows)


def to_markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The table in Markdown, a line for each row."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def align_columns(rows: Sequence[Sequence[str]], right_from: int) -> list[list[str]]:
    """The cells padded to the widths of their columns; from the column `right_from` on they are at the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        [
            cell.rjust(width) if at >= right_from else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        for row in rows
    ]
