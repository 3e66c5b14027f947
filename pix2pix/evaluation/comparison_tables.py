"""Writes the table of a comparison as Markdown, LaTeX or CSV."""

import csv
import io
from collections.abc import Callable

from pix2pix.core.tables import align_columns, to_markdown_table
from pix2pix.evaluation.comparison import Comparison
from pix2pix.evaluation.run_groups import Group

# The characters that LaTeX reads as commands.
LATEX = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$"}
)

MARK = "\0"  # before a cell of the best, until the columns are aligned


def to_markdown(comparison: Comparison) -> str:
    """The table in Markdown, with the best groups (`Comparison.leaders`) in bold."""
    return to_markdown_table(*_table(comparison, bold="**{}**".format))


def to_text(comparison: Comparison, *, bold: Callable[[str], str] | None = None) -> str:
    """The table in aligned columns for a terminal.

    Args:
        comparison: the runs, and what was measured of them.
        bold: shows the best groups (`Comparison.leaders`) in bold; None marks them by a star.
    """
    header, rows = _table(comparison, bold=f"{MARK}{{}}".format)
    settings = len(header) - len(comparison.metrics)
    plain = [[_mark_best(cell) if bold is None else cell.removeprefix(MARK) for cell in row] for row in rows]
    first, *lines = align_columns([header, *plain], settings)
    if bold is not None:
        first = [bold(cell) for cell in first]
        lines = [
            [bold(text) if cell.startswith(MARK) else text for cell, text in zip(row, line, strict=True)]
            for row, line in zip(rows, lines, strict=True)
        ]
    return "\n".join("  ".join(line).rstrip() for line in [first, *lines]) + "\n"


def _mark_best(cell: str) -> str:
    return f"* {cell.removeprefix(MARK)}" if cell.startswith(MARK) else cell


def to_latex(comparison: Comparison) -> str:
    """The table in LaTeX for the package booktabs, with the best groups in bold and an arrow to the better side."""
    header, rows = _table(comparison, bold=r"\textbf{{{}}}".format, escape=lambda text: text.translate(LATEX))
    settings = len(header) - len(comparison.metrics)
    directions = [comparison.known_metrics[name].higher_is_better for name in comparison.metrics]
    better = [r"$\uparrow$" if is_higher else r"$\downarrow$" for is_higher in directions]
    header[settings:] = [f"{name} {arrow}" for name, arrow in zip(header[settings:], better, strict=True)]
    lines = [r"\begin{tabular}{" + "l" * settings + "r" * len(better) + "}", r"\toprule", _latex_row(header)]
    return "\n".join([*lines, r"\midrule", *map(_latex_row, rows), r"\bottomrule", r"\end{tabular}"]) + "\n"


def _latex_row(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def to_csv(comparison: Comparison) -> str:
    """The comparison as CSV, a row for each run: path, settings, state, protocol, pairs, tags, notes and metrics."""
    text = io.StringIO()
    keys = list(dict.fromkeys(key for entry in comparison.entries for key in entry.distinct_settings))
    writer = csv.writer(text, lineterminator="\n")
    keys = [key for key in keys if key != "seed"]
    remarks = list(dict.fromkeys(name for entry in comparison.entries for name in entry.remarks))
    extra = [column for name in comparison.metrics for column in _extra_columns(comparison, name)]
    writer.writerow(["run", *keys, "seed", "state", "evaluation", "pairs", *remarks, *comparison.metrics, *extra])
    for entry in comparison.entries:
        settings = [entry.distinct_settings.get(key, "") for key in keys]
        numbers = [entry.metrics.get(name, "") for name in comparison.metrics]
        protocol = " ".join(f"{name}={value}" for name, value in entry.protocol.items())
        texts = [entry.remarks.get(name, "") for name in remarks]
        more = entry.set_numbers()
        writer.writerow(
            [
                *(entry.run.path, *settings, entry.seed, entry.state(), protocol, entry.pairs, *texts, *numbers),
                *(more.get(column, "") for column in extra),
            ]
        )
    return text.getvalue()


def _extra_columns(comparison: Comparison, metric: str) -> list[str]:
    """The columns for the spread and the number of pictures of a metric, as far as a run has them."""
    columns = {column for entry in comparison.entries for column in entry.set_numbers()}
    return sorted(columns & {f"{metric}_spread", f"{metric}_pictures"})


def _table(
    comparison: Comparison, *, bold: Callable[[str], str], escape: Callable[[str], str] = str
) -> tuple[list[str], list[list[str]]]:
    """The header, and a row for each group: settings, number of runs, and mean ± spread (`Group.notes`) of each metric.

    Numbers in parentheses are provisional: of unfinished runs, or not evaluated as requested.
    """
    header = [*(comparison.columns or ["run"]), "runs", *comparison.metrics]
    rows = []
    for group in comparison.groups:
        settings = [str(group.distinct_settings.get(key, "")) for key in comparison.columns] or [group.label]
        numbers = []
        for name in comparison.metrics:
            is_best = len(comparison.groups) > 1 and group in comparison.leaders(name)
            number = escape(_number(group, name))
            numbers.append(bold(number) if is_best else number)
        rows.append([*map(escape, [*settings, group.describe_size()]), *numbers])
    return [escape(name) for name in header], rows


def _number(group: Group, metric: str) -> str:
    mean, spread = group.mean(metric), group.spread(metric)
    if mean is None:
        return ""
    text = f"{mean:.4g}" + (f" ± {spread:.2g}" if spread is not None else "")
    text += f" ({', '.join(notes)})" if (notes := group.notes(metric)) else ""
    return f"({text})" if group.is_provisional else text
