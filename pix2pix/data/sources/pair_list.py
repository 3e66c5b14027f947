"""Reads a table of pairs: a CSV file with the columns input, target and, where wanted, split."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from pix2pix.data.images.decode import SUFFIXES
from pix2pix.data.pair import Split
from pix2pix.data.sources.faults import Fault, FaultLog, Report, raise_fault
from pix2pix.data.sources.inputs_alone import describe_inputs
from pix2pix.data.sources.pair_names import pair_path
from pix2pix.data.sources.pair_paths import PairPaths
from pix2pix.data.sources.splits import FolderLayout, SplitFiles, find_split

TABLES = (".csv", ".tsv")
DELIMITERS = ",;\t"
Row = tuple[str, list[str]]  # the split and the files of a pair


def is_table(path: Path) -> bool:
    """Whether a path is that of a table of pairs."""
    return path.suffix.lower() in TABLES and path.is_file()


def read_pair_list(
    table: Path, names: Sequence[str], sources: Sequence[int], report: Report = raise_fault
) -> FolderLayout:
    """The pairs of a table, whose paths are relative to its folder. Rows without a split are of train.

    Rows of test that have all inputs and no target are inputs alone.

    Args:
        table: the CSV file; columns are separated by commas, semicolons or tabs.
        names: of A's and B's images: the columns to read where there are such; else `input` is A and `target` is B.
        sources: the positions in `names` of the inputs.
        report: takes the fault of each row. By default it raises the first.

    Raises:
        ValueError: for a table without these columns, a row that lacks a value, an unknown split, a file that is no
            picture or does not exist, a pair that is listed twice, naming the row.
    """
    reader = _open_reader(table)
    columns = _find_columns(table, reader.fieldnames or [], names)
    rows: dict[Split, list[list[str]]] = defaultdict(list)
    inputs, log, lines = list[list[str]](), FaultLog(report), dict[tuple[str, ...], int]()
    for row in _read_rows(table, reader):
        where = f"{table}, line {reader.line_num}"
        files = [_read_path(table.parent, row[column]) for column in columns]
        try:
            split = _parse_split(row.get("split", ""), where)
            is_input = split == "test" and _has_inputs_alone(files, sources)
            if not is_input:
                _require_values(files, columns, sources, where)
            used = [files[n] for n in (sources if is_input else range(len(files)))]
            _require_files(table.parent, used, where)
            _require_new(lines, files, reader.line_num, where)
            (inputs if is_input else rows[split]).append(used)
        except ValueError as error:
            log.report(Fault("row", error))
    if not rows and not inputs and not log.has_faults:
        log.report(Fault("empty", ValueError(f"{table}: lists no pairs. Write a line for each below the first.")))
    layout = FolderLayout(table.parent, {}, has_splits="split" in (reader.fieldnames or []))
    for split, found in rows.items():
        layout.splits[split] = SplitFiles(_make_paths(table, found, names[0]), table.name)
    if inputs:
        layout.inputs = _make_paths(table, inputs, names[sources[0]])
        layout.notes.append(describe_inputs(len(inputs), table.name))
    return layout


def _require_new(lines: dict[tuple[str, ...], int], files: Sequence[str], line: int, where: str) -> None:
    """Raises ValueError if an earlier line lists the same files; else adds them to `lines`."""
    if (first_line := lines.setdefault(tuple(files), line)) != line:
        raise ValueError(f"{where}: lists the pair of line {first_line} again. Remove one of the two lines.")


def _read_rows(table: Path, reader: "csv.DictReader[str]") -> Iterator[dict[str, str]]:
    """The values of each row that has any, by the names of their columns. Raises ValueError for what is no table."""
    try:
        for row in reader:
            values = {key: (value or "").strip() for key, value in row.items() if key is not None}
            if any(values.values()):
                yield values
    except csv.Error as error:
        raise ValueError(
            f"{table}, line {reader.line_num}: cannot be read ({error}). A quotation mark may be left open."
        ) from error


def _read_path(root: Path, path: str) -> str:
    """A path as it is written, or with slashes for the backslashes of Windows if there is no such file."""
    return path.replace("\\", "/") if "\\" in path and not (root / path).is_file() else path


def _has_inputs_alone(files: Sequence[str], sources: Sequence[int]) -> bool:
    """Whether a row has all inputs and no target."""
    return all((file != "") == (n in sources) for n, file in enumerate(files))


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
    reader = csv.DictReader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
    reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or []]
    return reader


def _find_columns(table: Path, header: Sequence[str], names: Sequence[str]) -> list[str]:
    wanted = [name.lower() for name in names]
    if set(header).issuperset(wanted):
        return wanted
    if len(names) == 2 and set(header).issuperset(("input", "target")):
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


def _require_values(files: Sequence[str], columns: Sequence[str], sources: Sequence[int], where: str) -> None:
    made = " and ".join(column for n, column in enumerate(columns) if n not in sources)
    if missing := [column for column, file in zip(columns, files, strict=True) if not file]:
        raise ValueError(f"{where}: has no {missing[0]}. Only {made} may be missing, in rows of the split test.")


def _require_files(root: Path, files: Sequence[str], where: str) -> None:
    for file in files:
        if not file.lower().endswith(SUFFIXES):
            raise ValueError(f"{where}: {file} is no picture. Known suffixes: {', '.join(SUFFIXES)}.")
        if not (root / file).is_file():
            raise ValueError(f"{where}: there is no file {file}. Paths are relative to {root}.")
    if len(set(files)) < len(files):
        raise ValueError(f"{where}: {files[0]} is its own partner. Name two files.")


def _make_paths(table: Path, rows: Sequence[Sequence[str]], image_name: str) -> PairPaths:
    names = [list(column) for column in zip(*rows, strict=True)]
    keys = [pair_path(name, image_name).lstrip("./") for name in names[0]]
    return PairPaths([table.parent] * len(names), names, keys, image_name)
