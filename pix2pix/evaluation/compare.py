"""The comparison of runs as one self-contained page, and as tables."""

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

from pix2pix.data.picture_files import named, opened_image
from pix2pix.evaluation.comparison import Comparison, Entry, gather
from pix2pix.evaluation.evaluate import evaluate
from pix2pix.evaluation.metrics import METRICS
from pix2pix.evaluation.paper import beside
from pix2pix.loggers.metrics_csv import read
from pix2pix.run import Run
from pix2pix.whole_files import write

log = logging.getLogger(__name__)

CURVE_POINTS = 400  # a curve on a screen shows no more


def bring_up_to_date(runs: Sequence[Run], split: str, **options: Any) -> None:
    """Evaluates the runs whose evaluation is of another or an older checkpoint, or that the scorer has not read yet.

    Takes the options of `evaluate`; what cannot be evaluated is logged, and the others still are.
    """
    for run in runs:
        try:
            checkpoint = run.checkpoint(options["checkpoint"])
            if not _is_current(run.evaluation / split / "metrics.json", checkpoint, options["scorer"]):
                log.info("evaluating %s", run.path)
                evaluate(run, split=split, **options)  # pyright: ignore[reportArgumentType]
        except (ValueError, OSError) as error:  # one run's trouble is not the others'
            log.error("%s: not evaluated: %s", run.path, error)


def _is_current(file: Path, checkpoint: Path, scorer: str | None) -> bool:
    if not file.is_file() or file.stat().st_mtime < checkpoint.stat().st_mtime:
        return False
    summary = json.loads(file.read_text(encoding="utf-8"))
    scored = scorer is None or "score_pixel_accuracy" in summary["metrics"]
    return scored and summary["checkpoint"] == checkpoint.name


def write_page(runs: Sequence[Run], split: str, page: Path, *, pictures: int = 8) -> Comparison:
    """Writes the comparison of the runs.

    Args:
        runs: at least one.
        split: whose evaluation is compared.
        page: the HTML file to write; it needs no other file and no network.
        pictures: how many inputs are shown, spread evenly over the split.

    Returns:
        What is on the page.
    """
    comparison = gather(runs, split)
    environment = jinja2.Environment(loader=jinja2.PackageLoader("pix2pix.evaluation", ""), autoescape=True)
    content = {
        "comparison": comparison,
        "metrics": METRICS,
        "paper": beside([group.entries[0].config for group in comparison.groups]),
        "data": _json(_data(comparison, pictures)),
        "plotly": _plotly(),
    }
    page.parent.mkdir(parents=True, exist_ok=True)
    write(page, environment.get_template("compare.html").render(content))
    return comparison


def table(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """The header and a row for each group: what differs, how many runs, each metric's mean and spread."""
    names = comparison.metrics
    header = [*(comparison.columns or ["run"]), "runs", *names]
    rows = []
    for group in comparison.groups:
        what = [str(group.differs.get(key, "")) for key in comparison.columns] or [group.label]
        numbers = [_number(group.mean(name), group.spread(name)) for name in names]
        rows.append([*what, str(len(group.entries)), *numbers])
    return header, rows


def as_markdown(comparison: Comparison) -> str:
    """The table in Markdown, the best value of each metric in bold."""
    header, rows = table(comparison)
    first = len(header) - len(comparison.metrics)
    for column, name in enumerate(comparison.metrics, start=first):
        best = comparison.best(name)
        for row, group in zip(rows, comparison.groups, strict=True):
            if group.entries == getattr(best, "entries", None) and len(rows) > 1:
                row[column] = f"**{row[column]}**"
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def as_csv(comparison: Comparison) -> str:
    """A row for each run: what differs, where it is, how far it got, its metrics."""
    text = io.StringIO()
    keys = list(dict.fromkeys(key for entry in comparison.entries for key in entry.differs))
    writer = csv.writer(text, lineterminator="\n")
    keys = [key for key in keys if key != "seed"]
    writer.writerow(["run", *keys, "seed", "state", *comparison.metrics])
    for entry in comparison.entries:
        differs = [entry.differs.get(key, "") for key in keys]
        numbers = [entry.metrics.get(name, "") for name in comparison.metrics]
        writer.writerow([entry.run.path, *differs, entry.seed, entry.state(), *numbers])
    return text.getvalue()


def _number(mean: float | None, spread: float | None) -> str:
    if mean is None:
        return ""
    return f"{mean:.4g}" + (f" ± {spread:.2g}" if spread is not None else "")


def _data(comparison: Comparison, pictures: int) -> dict[str, Any]:
    """What the page's script draws: runs, curves, and pictures by input."""
    number = {id(entry): index for index, entry in enumerate(comparison.entries)}
    runs = [{"label": entry.label, "seed": entry.seed, "curves": _curves(entry.run)} for entry in comparison.entries]
    groups = [
        {"label": group.label, "runs": [number[id(entry)] for entry in group.entries]} for group in comparison.groups
    ]
    return {"runs": runs, "groups": groups, "rows": _picture_rows(comparison, pictures)}


def _curves(run: Run) -> dict[str, list[list[float]]]:
    """For each logged metric its steps and values, thinned to what a screen shows."""
    rows, curves = read(run.path / "metrics.csv"), {}
    for name in rows[0] if rows else ():
        if name.startswith(("val/", "loss/")):
            points = [(int(row["step"]), float(row[name])) for row in rows if row[name]]
            shown = [point for point in points if math.isfinite(point[1])]
            curves[name] = [list(side) for side in zip(*shown[:: len(shown) // CURVE_POINTS + 1], strict=True)]
    return {name: curve for name, curve in curves.items() if curve}


def _picture_rows(comparison: Comparison, count: int) -> list[dict[str, Any]]:
    """A row for each of `count` inputs of each data set: its picture, each run's output, the target."""
    rows: list[dict[str, Any]] = []
    for data in comparison.data_sets():
        entries = {n: e for n, e in _shown(comparison).items() if e.data == data}
        names = list(dict.fromkeys(name for entry in entries.values() for name in picture_names(entry)))
        for name in names[:: max(1, len(names) // max(1, count))][:count]:
            rows.append(_picture_row(name, entries))
    return rows


def _shown(comparison: Comparison) -> dict[int, Entry]:
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
    outputs = {n: _inline(folder / f"{name}_output.png") for n, folder in folders.items()}
    there = next(folder for folder in folders.values() if (folder / f"{name}_input.png").is_file())
    ends = {kind: _inline(there / f"{name}_{kind}.png") for kind in ("input", "target")}
    return {"name": name, "outputs": {n: uri for n, uri in outputs.items() if uri}} | ends


def _inline(path: Path) -> str:
    """The picture as a data URI, a WebP of a fifth of the PNG's size; empty when it is not there."""
    if not path.is_file():
        return ""
    packed = io.BytesIO()
    with named(path), opened_image(path, ("PNG",)) as picture:
        picture.save(packed, "WEBP", quality=90)
    return "data:image/webp;base64," + base64.b64encode(packed.getvalue()).decode()


def _json(data: dict[str, Any]) -> str:
    return json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")  # no text ends the script


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()
