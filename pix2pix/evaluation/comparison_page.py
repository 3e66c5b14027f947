"""Writes a comparison of runs as a self-contained HTML page."""

import json
import logging
import math
from pathlib import Path
from typing import Any

from pix2pix.core.atomic_files import write_text_atomic
from pix2pix.core.html_page import render_page
from pix2pix.data.images.picture_files import open_image, report_unreadable
from pix2pix.evaluation.comparison import Comparison
from pix2pix.evaluation.paper_tables import matching_tables
from pix2pix.evaluation.run_groups import RunEntry
from pix2pix.inference.gallery import webp_data_uri
from pix2pix.runs.metrics import read_metrics
from pix2pix.runs.run import Run

log = logging.getLogger(__name__)

CURVE_POINTS = 400  # more do not show on a screen


def write_page(comparison: Comparison, page: Path, *, pictures: int = 8) -> None:
    """Writes the page of a comparison.

    Args:
        comparison: the runs, and what was measured of them.
        page: the HTML file to write; it needs no other file and no network.
        pictures: number of inputs to show, spread evenly over the split.
    """
    content = {
        "comparison": comparison,
        "metrics": comparison.known_metrics,
        "paper": matching_tables([group.entries[0].config for group in comparison.groups]),
        "data": _to_script_json(_script_data(comparison, pictures)),
        "plotly": _plotly_script(),
    }
    page.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomic(page, render_page(Path(__file__).with_name("compare.html"), **content))


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
        names = list(dict.fromkeys(name for entry in entries.values() for name in entry.picture_rows))
        for name in names[:: max(1, len(names) // max(1, count))][:count]:
            rows.append(_picture_row(name, entries))
    return rows


def _select_representatives(comparison: Comparison) -> dict[int, RunEntry]:
    """The first evaluated run of each group, by its number; each is a column of pictures."""
    number = {id(entry): index for index, entry in enumerate(comparison.entries)}
    evaluated = [[entry for entry in group.entries if entry.evaluation] for group in comparison.groups]
    return {number[id(entries[0])]: entries[0] for entries in evaluated if entries}


def _picture_row(name: str, entries: dict[int, RunEntry]) -> dict[str, Any]:
    folders = {n: entry.evaluation_folder / "images" for n, entry in entries.items()}
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
