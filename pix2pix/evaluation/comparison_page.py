"""Writes a comparison of runs as one self-contained HTML page, CSV or Markdown."""

import base64
import csv
import io
import json
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

from pix2pix.config.metric_names import METRICS
from pix2pix.core.atomic_files import write_text_atomic
from pix2pix.core.trust import Trust
from pix2pix.data.images.picture_files import named, opened_image
from pix2pix.data.pair import Split
from pix2pix.evaluation.compare_runs import Comparison, Entry, Group, load_comparison
from pix2pix.evaluation.evaluate import evaluate
from pix2pix.evaluation.paper_tables import matching_tables
from pix2pix.evaluation.record import EvaluationSpec, Record, read_record
from pix2pix.inference.carried import read_complete_config
from pix2pix.inference.generator import resolve_checkpoint
from pix2pix.runs.metrics import read_metrics
from pix2pix.runs.run import Run

log = logging.getLogger(__name__)

CURVE_POINTS = 400  # a curve on a screen shows no more


def evaluate_outdated(
    runs: Sequence[Run],
    split: Split,
    *,
    checkpoint: str = "best",
    data: str | Path | None = None,
    scorer: str | None = None,
    device: str = "auto",
    trust: Trust = (),
) -> None:
    """Evaluates the runs that were not evaluated, or otherwise than asked: of another or an older checkpoint, on other
    data, with other options, or without the scorer.

    Takes the options of `evaluate`; what cannot be evaluated is logged, and the others still are.
    """
    standard = EvaluationSpec(split, checkpoint, data, resolve_checkpoint(scorer) if scorer else None, trust)
    for run in runs:
        try:
            config = read_complete_config(run)
            record = read_record(standard.folder(run, config))
            why = "; ".join(standard.find_mismatches(run, config, record)) if record else "not evaluated yet"
            if why:
                log.info("evaluating %s: %s", run.path, why)
                options: dict[str, Any] = {"checkpoint": checkpoint, "device": device, "trust": trust}
                evaluate(run, split=split, data=data, **options, **_previous_options(record, scorer))
        except (ValueError, OSError) as error:  # one run's trouble is not the others'
            log.error("%s: not evaluated: %s", run.path, error)


def _previous_options(record: Record | None, scorer: str | None) -> dict[str, Any]:
    """What an evaluation measured beyond the usual, and measures again when it is made anew."""
    record = record or {}
    before = (record.get("scorer") or {}).get("path")
    perceptual = record.get("perceptual", "fid" in record.get("metrics", {}))
    return {"perceptual": perceptual, "scorer": scorer or (before if before and Path(before).is_file() else None)}


def write_page(runs: Sequence[Run], split: Split, page: Path, *, pictures: int = 8, **which: Any) -> Comparison:
    """Writes the comparison of the runs.

    Args:
        runs: at least one.
        split: whose evaluation is compared.
        page: the HTML file to write; it needs no other file and no network.
        pictures: how many inputs are shown, spread evenly over the split.
        which: whose evaluations, see `gather`: checkpoint, data, trust.

    Returns:
        What is on the page.
    """
    comparison = load_comparison(runs, split, **which)
    environment = jinja2.Environment(loader=jinja2.PackageLoader("pix2pix.evaluation", ""), autoescape=True)
    content = {
        "comparison": comparison,
        "metrics": METRICS,
        "paper": matching_tables([group.entries[0].config for group in comparison.groups]),
        "data": _to_script_json(_script_data(comparison, pictures)),
        "plotly": _plotly_script(),
    }
    page.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomic(page, environment.get_template("compare.html").render(content))
    return comparison


def comparison_table(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """The header and a row for each group: what differs, how many runs count, each metric's mean, spread and number.

    Numbers in parentheses are provisional, of runs that go on or were not evaluated.
    """
    names = comparison.metrics
    header = [*(comparison.columns or ["run"]), "runs", *names]
    rows = []
    for group in comparison.groups:
        what = [str(group.differs.get(key, "")) for key in comparison.columns] or [group.label]
        rows.append([*what, group.runs(), *(_number(group, name) for name in names)])
    return header, rows


def to_markdown(comparison: Comparison) -> str:
    """The table in Markdown; in bold what is better than all others by more than the spread over seeds."""
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
    """A row for each run: what differs, where it is, how far it got, its metrics."""
    text = io.StringIO()
    keys = list(dict.fromkeys(key for entry in comparison.entries for key in entry.differs))
    writer = csv.writer(text, lineterminator="\n")
    keys = [key for key in keys if key != "seed"]
    writer.writerow(["run", *keys, "seed", "state", "evaluation", *comparison.metrics])
    for entry in comparison.entries:
        differs = [entry.differs.get(key, "") for key in keys]
        numbers = [entry.metrics.get(name, "") for name in comparison.metrics]
        how = " ".join(f"{name}={value}" for name, value in entry.way.items())
        writer.writerow([entry.run.path, *differs, entry.seed, entry.state(), how, *numbers])
    return text.getvalue()


def _number(group: Group, metric: str) -> str:
    mean, spread = group.mean(metric), group.spread(metric)
    if mean is None:
        return ""
    text = f"{mean:.4g}" + (f" ± {spread:.2g}" if spread is not None else "")
    text += f" (n={len(group.values(metric))})" if len(group.entries) > 1 else ""
    return f"({text})" if group.provisional else text


def _script_data(comparison: Comparison, pictures: int) -> dict[str, Any]:
    """What the page's script draws: runs, curves, and pictures by input."""
    number = {id(entry): index for index, entry in enumerate(comparison.entries)}
    runs = [{"label": entry.label, "seed": entry.seed, "curves": _curves(entry.run)} for entry in comparison.entries]
    groups = [
        {"label": group.label, "runs": [number[id(entry)] for entry in group.entries]} for group in comparison.groups
    ]
    return {"runs": runs, "groups": groups, "rows": _picture_rows(comparison, pictures)}


def _curves(run: Run) -> dict[str, list[list[float]]]:
    """For each logged metric its steps and values, thinned to what a screen shows."""
    rows, curves = read_metrics(run.path / "metrics.csv"), {}
    for name in rows[0] if rows else ():
        if name.startswith(("val/", "loss/")):
            points = [(int(row["step"]), float(row[name])) for row in rows if row[name]]
            shown = [point for point in points if math.isfinite(point[1])]
            curves[name] = [list(side) for side in zip(*shown[:: len(shown) // CURVE_POINTS + 1], strict=True)]
    return {name: curve for name, curve in curves.items() if curve}


def _picture_rows(comparison: Comparison, count: int) -> list[dict[str, Any]]:
    """A row for each of `count` inputs of each data set: its picture, each run's output, the target."""
    rows: list[dict[str, Any]] = []
    shown = _select_representatives(comparison)
    for data in dict.fromkeys((entry.data, entry.way.get("data")) for entry in shown.values()):
        entries = {n: e for n, e in shown.items() if (e.data, e.way.get("data")) == data}
        names = list(dict.fromkeys(name for entry in entries.values() for name in picture_names(entry)))
        for name in names[:: max(1, len(names) // max(1, count))][:count]:
            rows.append(_picture_row(name, entries))
    return rows


def _select_representatives(comparison: Comparison) -> dict[int, Entry]:
    """Of each group the first run that was evaluated, by its number: a column of pictures each."""
    number = {id(entry): index for index, entry in enumerate(comparison.entries)}
    evaluated = [[entry for entry in group.entries if entry.evaluated] for group in comparison.groups]
    return {number[id(entries[0])]: entries[0] for entries in evaluated if entries}


def picture_names(entry: Entry) -> list[str]:
    """The names of the pairs that the run was evaluated on."""
    table = entry.run.evaluation / str(entry.evaluated) / "per_image.csv"
    with table.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return [row["name"] for row in csv.DictReader(file)]


def _picture_row(name: str, entries: dict[int, Entry]) -> dict[str, Any]:
    folders = {n: entry.run.evaluation / str(entry.evaluated) / "images" for n, entry in entries.items()}
    outputs = {n: _to_data_uri(folder / f"{name}_output.png") for n, folder in folders.items()}
    there = next(folder for folder in folders.values() if (folder / f"{name}_input.png").is_file())
    ends = {kind: _to_data_uri(there / f"{name}_{kind}.png") for kind in ("input", "target")}
    return {"name": name, "outputs": {n: uri for n, uri in outputs.items() if uri}} | ends


def _to_data_uri(path: Path) -> str:
    """The picture as a data URI, a WebP of a fifth of the PNG's size; empty when it is not there."""
    if not path.is_file():
        return ""
    packed = io.BytesIO()
    with named(path), opened_image(path, ("PNG",)) as picture:
        picture.save(packed, "WEBP", quality=90)
    return "data:image/webp;base64," + base64.b64encode(packed.getvalue()).decode()


def _to_script_json(data: dict[str, Any]) -> str:
    return json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")  # no text ends the script


def _plotly_script() -> str:
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()
