"""Writes the results of an evaluation: metrics.json, per_image.csv and index.html."""

import csv
import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pix2pix.config.metric_names import METRICS
from pix2pix.core.atomic_files import write_text_atomic
from pix2pix.core.html_page import render_page, replace_non_finite
from pix2pix.core.plurals import pluralize
from pix2pix.evaluation.bootstrap import LEVEL, RESAMPLES, Interval
from pix2pix.evaluation.evaluate_pairs import Row
from pix2pix.evaluation.own_metrics import read_own_metrics
from pix2pix.evaluation.record import FILE, PER_IMAGE, Record
from pix2pix.runs.run import Run
from pix2pix.runs.sample_sheets import read_epoch_sheets

FILES = {FILE, PER_IMAGE, "index.html", "images"}  # of an evaluation


@dataclass
class Evaluation:
    """The results of an evaluation and the folder they are written to.

    Attributes:
        description: which pairs were evaluated, in words.
        totals: the mean of each metric over the pictures, and the set metrics.
        spread: the standard deviation of those means over samples of the noise; of KID, over its subsets of pictures.
        intervals: the 95 % bootstrap interval over pictures of each metric that has one.
        counts: the number of pictures that FID and KID are of.
        ceiling: the scores of the real photos, an upper bound.
        missing: why a metric could not be computed.
        skipped: why a pair was left out, by its name.
        rows: the metrics of each picture.
        curves: the colour histograms.
    """

    folder: Path
    description: str
    totals: dict[str, float] = field(default_factory=dict)
    spread: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, Interval] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    ceiling: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    curves: dict[str, Any] = field(default_factory=dict)

    def describe(self, name: str) -> str:
        """A metric with its interval, spread and number of pictures: `l1 0.1234 (0.1200 to 0.1300)`."""
        text = f"{name} {self.totals[name]:.4f}"
        if name in self.intervals:
            text += " ({:.4f} to {:.4f})".format(*self.intervals[name])
        if name in self.spread:
            text += f" ± {self.spread[name]:.2g}"
        return text + (f" ({pluralize(self.counts[name], 'picture', 'pictures')})" if name in self.counts else "")


def write_results(folder: Path, run: Run, record: Record, result: Evaluation) -> None:
    """Writes metrics.json, per_image.csv and index.html; `record` describes the inputs."""
    numbers = {
        "metrics": result.totals,
        "intervals": {name: list(interval) for name, interval in result.intervals.items()},
        "interval_method": {"kind": "bootstrap over pictures", "level": LEVEL, "resamples": RESAMPLES},
        "spread": result.spread,
        "pictures": result.counts,
        "real_photos": result.ceiling,
        "missing": result.missing,
        "skipped": result.skipped,
        "colour_histograms": result.curves,
    }
    summary = {"split": record["split"], "pairs": len(result.rows)} | record | numbers
    summary = replace_non_finite(summary, lambda _: None)
    with (folder / PER_IMAGE).open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.DictWriter(file, list(result.rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(result.rows)
    write_text_atomic(folder / FILE, json.dumps(summary, indent=2) + "\n")
    columns = [name for name in result.rows[0] if name != "name"]
    plots = {axis: _plot(curve) for axis, curve in result.curves.items()}
    page = render_page(
        Path(__file__).with_name("page.html"),
        **{"run": run.path.resolve().name, "summary": summary, "rows": result.rows, "columns": columns},
        **{"metrics": METRICS | read_own_metrics(record), "plots": plots},
        sheets=_link_sheets(run, result.folder),
    )
    write_text_atomic(folder / "index.html", page)


def _link_sheets(run: Run, folder: Path) -> list[dict[str, Any]]:
    """The sample sheets of the epochs, as the page links them; none if the page is not in the run's directory."""
    if folder.resolve().parent.parent != run.path.resolve():
        return []
    return [
        {"at": epoch, "source": f"../../samples/{quote(os.fsencode(sheet.path.name))}"}
        for epoch, sheet in read_epoch_sheets(run.path / "samples").items()
    ]


def _plot(curve: dict[str, list[float]]) -> dict[str, Any]:
    """The points of two SVG polylines for log10-probability curves in a box of 300 x 100, and the ticks of its axis."""
    low, high = min(curve["centre"]), max(curve["centre"])
    lines = {
        kind: " ".join(
            f"{300 * (x - low) / (high - low):.1f},{min(100.0, -100 * y / 6):.1f}"
            for x, y in zip(curve["centre"], curve[kind], strict=True)
        )
        for kind in ("output", "target")
    }
    values = range(math.ceil(low / 50) * 50, math.floor(high) + 2, 50)
    return lines | {"ticks": [(round(300 * (value - low) / (high - low), 1), value) for value in values]}
