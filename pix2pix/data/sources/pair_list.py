"""Reads a table of pairs: a CSV file with the columns input, target and, where wanted, split."""

import csv
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from pix2pix.data.images.decode import SUFFIXES
from pix2pix.data.pair import Split
from pix2pix.data.sources.faults import Fault, Report, raise_fault
from pix2pix.data.sources.pair_paths import PairPaths
from pix2pix.data.sources.splits import FolderLayout, SplitFiles, find_split

TABLES = (".csv", ".tsv")
DELIMITERS = ",;\t"
Row = tuple[str, list[str]]  # the split and the files of a pair


def is_table(path: Path) -> bool:
    """Whether a path is that of a table of pairs."""
    return path.suffix.lower() in TABLES and path.is_file()


def read_pair_list(table: Path, names: Sequence[str], report: Report = raise_fault) -> FolderLayout:
    """The pairs of a table, whose paths are relative to its folder. Rows without a split are of train.

    Args:
        table: the CSV file; columns are separated by commas, semicolons or tabs.
        names: of A's and B's images: the columns to read where there are such; else `input` is A and `target` is B.
        report: takes the fault of each row. By default it raises the first.

    Raises:
        ValueError: for a table without these columns, a row that lacks a value, an unknown split, a file that is no
            picture or does not exist, a pair that is listed twice, naming the row.
    """
    reader = _open_reader(table)
    columns = _find_columns(table, reader.fieldnames or [], names)
    rows: dict[Split, list[list[str]]] = defaultdict(list)
    notes, lines = 0, dict[tuple[str, ...], int]()
    for row in reader:
        values = {(key or "").strip().lower(): (value or "").strip() for key, value in row.items() if key is not None}
        if not any(values.values()):
            continue
        where = f"{table}, line {reader.line_num}"
        files = [values[column] for column in columns]
        try:
            split = _parse_split(values.get("split", ""), where)
            if split == "test" and files[0] and not all(files):
                notes += 1
                continue
            _require_files(table.parent, files, columns, where)
            if (first_line := lines.setdefault(tuple(files), reader.line_num)) != reader.line_num:
                raise ValueError(f"{where}: lists the pair of line {first_line} again. Remove one of the two lines.")
        except ValueError as error:
            report(Fault("row", error))
            continue
        rows[split].append(files)
    left_out = [f"{notes} rows of {table.name} without targets: left out"] if notes else []
    splits: dict[Split, SplitFiles] = {split: _make_split(table, found) for split, found in rows.items() if found}
    return FolderLayout(table.parent, splits, left_out, has_splits="split" in (reader.fieldnames or []))


def _open_reader(table: Path) -> "csv.DictReader[str]":
    try:
        text = table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{table}: byte {error.start} is not UTF-8, so this is no table in plain text, or one of another encoding. "
            "Save it as CSV in UTF-8."
        ) from error
    if not text.strip():
        raise ValueError(
            f"{table}: is empty. Write a first line with the columns input,target and a line for each pair."
        )
    delimiter = max(DELIMITERS, key=text.partition("\n")[0].count)
    return csv.DictReader(text.splitlines(), delimiter=delimiter, skipinitialspace=True)


def _find_columns(table: Path, header: Sequence[str], names: Sequence[str]) -> list[str]:
    known = {name.strip().lower() for name in header}
    wanted = [name.lower() for name in names]
    if known.issuperset(wanted):
        return wanted
    if len(names) == 2 and known.issuperset(("input", "target")):
        return ["input", "target"]
    needed = ["input", "target"] if len(names) == 2 else list(names)
    raise ValueError(
        f"{table}: its first line names the columns {', '.join(header) or 'of nothing'}; needed are "
        f"{', '.join(needed)}, and split (train, val or test) if the table decides the splits."
    )


def _parse_split(value: str, where: str) -> Split:
    if not value:
        return "train"
    if split := find_split(value):
        return split
    raise ValueError(f"{where}: split {value!r} is not train, val or test.")


def _require_files(root: Path, files: Sequence[str], columns: Sequence[str], where: str) -> None:
    for column, file in zip(columns, files, strict=True):
        if not file:
            raise ValueError(f"{where}: has no {column}. Every row of train and val needs one.")
        if not file.lower().endswith(SUFFIXES):
            raise ValueError(f"{where}: {file} is no picture. Known suffixes: {', '.join(SUFFIXES)}.")
        if not (root / file).is_file():
            raise ValueError(f"{where}: there is no file {file}. Paths are relative to {root}.")
    if len(set(files)) < len(files):
        raise ValueError(f"{where}: {files[0]} is its own partner. Name two files.")


def _make_split(table: Path, rows: Sequence[Sequence[str]]) -> SplitFiles:
    names = [list(column) for column in zip(*rows, strict=True)]
    keys = [name.rpartition(".")[0].lstrip("./") for name in names[0]]
    return SplitFiles(PairPaths([table.parent] * len(names), names, keys), table.name)
