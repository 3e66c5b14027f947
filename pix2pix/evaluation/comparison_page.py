"""Writes a comparison of runs as a self-contained HTML page, CSV or Markdown."""

import csv
import io
import json
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pix2pix.core.atomic_files import write_text_atomic
from pix2pix.core.html_page import render_page
from pix2pix.core.trust import Trust
from pix2pix.data.images.picture_files import open_image, report_unreadable
from pix2pix.data.pair import Split
from pix2pix.evaluation.compare_runs import load_comparison
from pix2pix.evaluation.comparison import Comparison, Group, RunEntry
from pix2pix.evaluation.evaluate import evaluate
from pix2pix.evaluation.evaluation_spec import EvaluationSpec
from pix2pix.evaluation.fcn_score import resolve_scorer
from pix2pix.evaluation.own_metrics import parse_names
from pix2pix.evaluation.paper_tables import matching_tables
from pix2pix.evaluation.record import Record
from pix2pix.inference.gallery import webp_data_uri
from pix2pix.runs.metrics import read_metrics
from pix2pix.runs.run import DEFAULT_CHECKPOINT, Run

log = logging.getLogger(__name__)

CURVE_POINTS = 400  # more do not show on a screen


def evaluate_outdated(
    runs: Sequence[Run],
    split: Split,
    *,
    checkpoint: str = DEFAULT_CHECKPOINT,
    data: str | Path | None = None,
    scorer: str | None = None,
    metrics: Sequence[str] = (),
    device: str = "auto",
    trust: Trust = (),
) -> None:
    """Evaluates the runs whose evaluation is missing, outdated or made with other options.

    Takes the options of `evaluate`. A run that cannot be evaluated is logged, and the others are still evaluated.
    """
    spec = EvaluationSpec(
        split, checkpoint, data, resolve_scorer(scorer) if scorer else None, trust, tuple(parse_names(metrics))
    )
    for run in runs:
        try:
            config = run.config()
            _, record = spec.find_evaluation(run, config)
            reason = "; ".join(spec.find_mismatches(run, config, record)) if record else "not evaluated yet"
            if reason:
                log.info("evaluating %s: %s", run.path, reason)
                options: dict[str, Any] = {
                    "checkpoint": checkpoint,
                    "device": device,
                    "trust": trust,
                    "metrics": metrics,
                }
                evaluate(run, split=split, data=data, **options, **_previous_options(record, scorer))
        except (ValueError, OSError) as error:  # the other runs are still evaluated
            log.error("%s: not evaluated: %s", run.path, error)


def _previous_options(record: Record | None, scorer: str | None) -> dict[str, Any]:
    """The optional metrics of the previous evaluation, which the new one computes again."""
    record = record or {}
    previous = (record.get("scorer") or {}).get("path")
    perceptual = record.get("perceptual", "fid" in record.get("metrics", {}))
    return {"perceptual": perceptual, "scorer": scorer or (previous if previous and Path(previous).is_file() else None)}


def write_page(runs: Sequence[Run], split: Split, page: Path, *, pictures: int = 8, **which: Any) -> Comparison:
    """Writes the comparison page of runs.

    Args:
        runs: at least one run.
        split: the split of the evaluations.
        page: the HTML file to write; it needs no other file and no network.
        pictures: number of inputs to show, spread evenly over the split.
        which: options of `load_comparison`: checkpoint, data, trust.

    Returns:
        The comparison on the page.
    """
    comparison = load_comparison(runs, split, **which)
    content = {
        "comparison": comparison,
        "metrics": comparison.known_metrics,
        "paper": matching_tables([group.entries[0].config for group in comparison.groups]),
        "data": _to_script_json(_script_data(comparison, pictures)),
        "plotly": _plotly_script(),
    }
    page.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomic(page, render_page(Path(__file__).with_name("compare.html"), **content))
    return comparison


def comparison_table(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """The header, and a row for each group: settings, number of runs, and mean ± spread (n) of each metric.

    Numbers in parentheses are provisional: of unfinished runs, or not evaluated as requested.
    """
    names = comparison.metrics
    header = [*(comparison.columns or ["run"]), "runs", *names]
    rows = []
    for group in comparison.groups:
        settings = [str(group.distinct_settings.get(key, "")) for key in comparison.columns] or [group.label]
        rows.append([*settings, group.describe_size(), *(_number(group, name) for name in names)])
    return header, rows


def to_markdown(comparison: Comparison) -> str:
    """The table in Markdown, with the best groups (`Comparison.best`) in bold."""
    header, rows = comparison_table(comparison)
    first = len(header) - len(comparison.metrics)
    for column, name in enumerate(comparison.metrics, start=first):
        best = comparison.best(name)
        for row, group in zip(rows, comparison.groups, strict=True):
            if group is best and len(rows) > 1:
                row[column] = f"**{row[column]}**"
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def to_csv(comparison: Comparison) -> str:
    """The comparison as CSV, a row for each run: path, settings, state, protocol, tags, notes and metrics."""
    text = io.StringIO()
    keys = list(dict.fromkeys(key for entry in comparison.entries for key in entry.distinct_settings))
    writer = csv.writer(text, lineterminator="\n")
    keys = [key for key in keys if key != "seed"]
    labels = list(dict.fromkeys(name for entry in comparison.entries for name in entry.labels))
    writer.writerow(["run", *keys, "seed", "state", "evaluation", *labels, *comparison.metrics])
    for entry in comparison.entries:
        settings = [entry.distinct_settings.get(key, "") for key in keys]
        numbers = [entry.metrics.get(name, "") for name in comparison.metrics]
        protocol = " ".join(f"{name}={value}" for name, value in entry.protocol.items())
        said = [entry.labels.get(name, "") for name in labels]
        writer.writerow([entry.run.path, *settings, entry.seed, entry.state(), protocol, *said, *numbers])
    return text.getvalue()


def _number(group: Group, metric: str) -> str:
    mean, spread = group.mean(metric), group.spread(metric)
    if mean is None:
        return ""
    text = f"{mean:.4g}" + (f" ± {spread:.2g}" if spread is not None else "")
    text += f" (n={len(group.values(metric))})" if len(group.entries) > 1 else ""
    return f"({text})" if group.is_provisional else text


def _script_data(comparison: Comparison, pictures: int) -> dict[str, Any]:
    """The data of the page's script: runs, curves, groups and pictures."""
    number = {id(entry): index for index, entry in enumerate(comparison.entries)}
    runs = [{"label": entry.label, "seed": entry.seed, "curves": _curves(entry.run)} for entry in comparison.entries]
    groups = [
        {"label": group.label, "runs": [number[id(entry)] for entry in group.entries]} for group in comparison.groups
    ]
    return {"runs": runs, "groups": groups, "rows": _picture_rows(comparison, pictures)}


def _curves(run: Run) -> dict[str, list[list[float]]]:
    """Steps and values of each logged metric, thinned to about CURVE_POINTS."""
    rows, curves = read_metrics(run.path / "metrics.csv"), {}
    for name in rows[0] if rows else ():
        if name.startswith(("val/", "loss/")):
            points = [(int(row["step"]), float(row[name])) for row in rows if row[name]]
            finite = [point for point in points if math.isfinite(point[1])]
            curves[name] = [list(side) for side in zip(*finite[:: len(finite) // CURVE_POINTS + 1], strict=True)]
    return {name: curve for name, curve in curves.items() if curve}


def _picture_rows(comparison: Comparison, count: int) -> list[dict[str, Any]]:
    """A row for each of `count` inputs of each data set: input, output of each run, target."""
    rows: list[dict[str, Any]] = []
    representatives = _select_representatives(comparison)
    for data in dict.fromkeys((entry.data, entry.protocol.get("data")) for entry in representatives.values()):
        entries = {n: e for n, e in representatives.items() if (e.data, e.protocol.get("data")) == data}
        names = list(dict.fromkeys(name for entry in entries.values() for name in picture_names(entry)))
        for name in names[:: max(1, len(names) // max(1, count))][:count]:
            rows.append(_picture_row(name, entries))
    return rows


def _select_representatives(comparison: Comparison) -> dict[int, RunEntry]:
    """The first evaluated run of each group, by its number; each is a column of pictures."""
    number = {id(entry): index for index, entry in enumerate(comparison.entries)}
    evaluated = [[entry for entry in group.entries if entry.evaluation] for group in comparison.groups]
    return {number[id(entries[0])]: entries[0] for entries in evaluated if entries}


def picture_names(entry: RunEntry) -> list[str]:
    """The names of the pairs in the run's evaluation."""
    table = entry.run.evaluation / str(entry.evaluation) / "per_image.csv"
    with table.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return [row["name"] for row in csv.DictReader(file)]


def _picture_row(name: str, entries: dict[int, RunEntry]) -> dict[str, Any]:
    folders = {n: entry.run.evaluation / str(entry.evaluation) / "images" for n, entry in entries.items()}
    outputs = {n: _to_data_uri(folder / f"{name}_output.png") for n, folder in folders.items()}
    folder = next(folder for folder in folders.values() if (folder / f"{name}_input.png").is_file())
    ends = {kind: _to_data_uri(folder / f"{name}_{kind}.png") for kind in ("input", "target")}
    return {"name": name, "outputs": {n: uri for n, uri in outputs.items() if uri}} | ends


def _to_data_uri(path: Path) -> str:
    """The picture as the data URI of a WebP (a fifth of the PNG's size); empty if there is no file."""
    if not path.is_file():
        return ""
    with report_unreadable(path), open_image(path, ("PNG",)) as picture:
        return webp_data_uri(picture, quality=90)


def _to_script_json(data: dict[str, Any]) -> str:
    return json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")  # no text closes <script>


def _plotly_script() -> str:
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()
