"""Writes a comparison of runs as a self-contained HTML page."""

import math
from pathlib import Path
from typing import Any

from pix2pix.core.atomic_files import write_text_atomic
from pix2pix.core.html_page import render_page, replace_non_finite, to_script_json
from pix2pix.evaluation.comparison import Comparison
from pix2pix.evaluation.page_pictures import MAX_SAMPLED_GROUPS, PagePictures, collect_pictures, default_count
from pix2pix.evaluation.paper_tables import matching_tables
from pix2pix.evaluation.run_groups import Group
from pix2pix.runs.metrics import read_metrics
from pix2pix.runs.run import Run

MAX_CURVE_POINTS = 400  # more do not show on a screen
MAX_POINTS = 12_000  # of one metric of all runs; with many runs each curve has fewer points
MIN_CURVE_POINTS = 60


def write_page(comparison: Comparison, page: Path, *, pictures: int | None = None) -> None:
    """Writes the page of a comparison.

    Args:
        comparison: the runs, and what was measured of them.
        page: the HTML file to write; it needs no other file and no network.
        pictures: number of inputs to show, spread evenly over the split; None for `default_count`.
    """
    page.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomic(page, render_comparison(comparison, pictures=pictures))


def render_comparison(comparison: Comparison, *, pictures: int | None = None) -> str:
    """The page of a comparison as HTML; arguments as of `write_page`."""
    collected = collect_pictures(comparison, default_count(comparison) if pictures is None else pictures)
    return render_page(
        Path(__file__).with_name("compare_page") / "page.html",
        comparison=comparison,
        metrics=comparison.known_metrics,
        paper=matching_tables([group.entries[0].config for group in comparison.groups]),
        data=to_script_json(_script_data(comparison, collected)),
        lossless=collected.is_lossless,
        max_sampled=MAX_SAMPLED_GROUPS,
    )


def _script_data(comparison: Comparison, pictures: PagePictures) -> dict[str, Any]:
    """The data of the page's scripts: runs, groups, curves, pictures and settings."""
    number = {id(entry): index for index, entry in enumerate(comparison.entries)}
    steps: dict[tuple[int, ...], int] = {}  # most metrics of a run have the same steps: each list is written once
    points = max(MIN_CURVE_POINTS, min(MAX_CURVE_POINTS, MAX_POINTS // max(1, len(comparison.entries))))
    runs = [
        {"label": entry.label, "seed": entry.seed, "curves": _read_curves(entry.run, points, steps)}
        for entry in comparison.entries
    ]
    groups = [
        _describe_group(comparison, group, label) | {"runs": [number[id(entry)] for entry in group.entries]}
        for group, label in zip(comparison.groups, comparison.short_labels, strict=True)
    ]
    metrics = {name: comparison.known_metrics[name].higher_is_better for name in comparison.metrics}
    settings = {"differing": comparison.differing_settings(), "common": comparison.common_settings()}
    return {
        **{"runs": runs, "groups": groups, "steps": list(steps), "metrics": metrics},
        **{"sort": comparison.sort, "rows": pictures.rows, "samples": pictures.samples},
        "settings": replace_non_finite(settings, str),  # such as an infinite learning rate
    }


def _describe_group(comparison: Comparison, group: Group, label: str) -> dict[str, Any]:
    means = {name: group.mean(name) for name in comparison.metrics}
    return {
        "label": group.label,
        "short": label,
        "settings": {key: str(value) for key, value in group.distinct_settings.items()},
        "means": {name: mean for name, mean in means.items() if mean is not None},
        "provisional": group.is_provisional,
    }


def _read_curves(run: Run, points: int, steps: dict[tuple[int, ...], int]) -> dict[str, list[Any]]:
    """The number of a list of steps, and the values, of each logged metric, thinned to about so many points."""
    rows, curves = read_metrics(run.path / "metrics.csv"), {}
    at = [int(row["step"]) for row in rows]
    for name in rows[0] if rows else ():
        if name.startswith(("val/", "loss/")):
            logged = [(step, float(row[name])) for step, row in zip(at, rows, strict=True) if row[name]]
            finite = [point for point in logged if math.isfinite(point[1])]
            thinned = finite[:: len(finite) // points + 1] + finite[-1:]
            if thinned:
                of_step = dict(thinned)
                values = [float(f"{value:.5g}") for value in of_step.values()]
                curves[name] = [steps.setdefault(tuple(of_step), len(steps)), values]
    return curves
