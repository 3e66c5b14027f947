"""Evaluates a run on a split: metrics per picture, totals, output pictures and an HTML page."""

import csv
import json
import logging
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
from torch import Tensor
from tqdm import tqdm

from pix2pix.config.metric_names import METRICS
from pix2pix.core.addresses import require_no_secrets
from pix2pix.core.allocator import keep_freed_memory
from pix2pix.core.atomic_files import atomic_dir, write_text_atomic
from pix2pix.core.prefetch import batch_by_size, read_run_write
from pix2pix.data.coding import targets_are_labels
from pix2pix.data.datamodule import PlainPairs
from pix2pix.data.pair import PairSource, Split
from pix2pix.evaluation.confusion import ConfusionMatrix
from pix2pix.evaluation.evaluate_pairs import PairEvaluator, Row, SetMetric
from pix2pix.evaluation.fcn_score import SegmentationScore
from pix2pix.evaluation.lab_histograms import LabHistograms
from pix2pix.evaluation.perceptual import PerceptualMetrics
from pix2pix.evaluation.record import FILE, Record, evaluation_folder, make_record
from pix2pix.inference.generator import TrainedGenerator, load_generator
from pix2pix.runs.run import Run

log = logging.getLogger(__name__)


@dataclass
class Evaluation:
    """What an evaluation found, and where it left it."""

    folder: Path
    totals: dict[str, float] = field(default_factory=dict)
    spread: dict[str, float] = field(default_factory=dict)
    ceiling: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    curves: dict[str, Any] = field(default_factory=dict)


class LabelAccuracy:
    """How well generated label maps agree with the true ones (paper, table 6)."""

    def __init__(self, trained: TrainedGenerator) -> None:
        assert trained.palette is not None
        self.palette = trained.palette
        self.confusion = ConfusionMatrix(len(self.palette), self.palette.ignored)

    def update(self, output: Tensor, target: Tensor, labels: Tensor | None) -> None:
        """Adds label maps, painted or coded."""
        assert labels is not None
        self.confusion.update(self.palette.read(output), labels)

    def compute(self) -> dict[str, float]:
        """The accuracies and the intersection over union."""
        return self.confusion.compute()


def evaluate(
    run: Run,
    *,
    split: Split = "val",
    data: str | Path | None = None,
    scorer: str | Path | None = None,
    perceptual: bool = False,
    samples: int = 1,
    **options: Any,
) -> Evaluation:
    """Evaluates a run pair by pair into `evaluation/SPLIT/`, replacing what was there only when all is done.

    What is evaluated otherwise than a run usually is, on other data or with other options, has a folder of its own
    beside it, named by what differs, as `evaluation/val,dropout=off/`.

    Args:
        run: the run.
        split: `train`, `val` or `test`; plain pictures, without augmentation.
        data: the folder of pairs, where it is no longer the one of the training.
        scorer: a run from photos to labels that reads what this run generates.
        perceptual: whether to measure LPIPS, FID and KID too.
        samples: outputs for each input, under different dropout noise; metrics are their means.
        options: those of `pix2pix.inference.generator.load`: checkpoint, device, normalization, dropout, seed, trust.

    Raises:
        FileNotFoundError: when the run, its checkpoint or its data are not there.
        ValueError: for `data` where the pairs of the run are no files, or a scorer that does not fit the run.
    """
    keep_freed_memory()
    run.config()  # says so when this is no run: results are written into it
    trained = load_generator(run.path, **options)
    source = _open_pairs(trained, data)
    if split == "test" and source.files("val") and source.files("val") is source.files("test"):
        log.info("%s: its data have one held-out split; val and test are the same pairs.", run.path)
    measures = _set_metrics(trained, scorer, perceptual, options.get("device", "auto"))
    choices = {name: value for name, value in options.items() if name != "device"}
    folder = evaluation_folder(run, trained.config, split, data=data, samples=samples, **choices)
    run.require_inside(folder)
    record = {"split": split, "samples": samples} | make_record(
        trained, source, split, _scorer_file(measures), perceptual
    )
    pairs = PlainPairs(source.split(split), trained.build_transform())
    with atomic_dir(folder) as part:
        examination = PairEvaluator(trained, pairs, measures, samples, part / "images")
        result = _evaluate_pairs(examination, folder)
        record["data"]["pictures"] = examination.seen.digest()
        _write_results(part, run, record, result)
    return result


def _evaluate_pairs(examination: PairEvaluator, folder: Path) -> Evaluation:
    """All pairs, one after the other, and what is measured of them together."""
    by_sample = _run_pairs(examination)
    result = Evaluation(folder, rows=[_mean_row(rows) for rows in by_sample])
    result.totals, result.spread = _totals(result.rows, by_sample)
    _add_set_metrics(result, examination.measures)
    return result


def _open_pairs(trained: TrainedGenerator, path: str | Path | None) -> PairSource:
    """The pairs by the configuration of the run, or those in the folder at `path`."""
    require_no_secrets([("--data", str(path))])
    if path is not None and "path" not in trained.config["data"]["pairs"]:
        raise ValueError(f"--data {path}: the pairs of this run are drawn, they have no folder. Leave it out.")
    try:
        return trained.open_pairs(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error} Or, where they have moved, name the folder with --data.") from error


def _scorer_file(measures: Sequence[SetMetric]) -> Path | None:
    scorers = [measure.scorer.checkpoint for measure in measures if isinstance(measure, SegmentationScore)]
    return scorers[0] if scorers else None


def _set_metrics(
    trained: TrainedGenerator, scorer: str | Path | None, perceptual: bool, device: str
) -> list[SetMetric]:
    measures: list[SetMetric] = []
    labels = targets_are_labels(trained.config)
    if labels:
        measures.append(LabelAccuracy(trained))
    elif trained.config["data"]["target_channels"] in {2, 3}:
        measures.append(LabHistograms())
    if scorer is not None:
        measures.append(SegmentationScore(scorer, trained.config, device, trained.trust))
    if perceptual and not labels:
        measures.append(PerceptualMetrics())
    return measures


def _run_pairs(examination: PairEvaluator) -> list[list[Row]]:
    """The rows of each pair, one for each sample; pairs run in batches where all are brought to one size."""
    data, length = examination.trained.config["data"], len(examination.pairs)
    size = None if data.get("preprocess") == "none" else (data["height"], data["width"])
    indices = batch_by_size(range(length), lambda index: size)
    rows: list[list[Row]] = []
    with tqdm(total=length, unit="pair", disable=None) as progress:
        for row in read_run_write(indices, examination.read, examination.run, examination.write):
            rows.append(row)
            progress.update()
    return rows


def _mean_row(rows: Sequence[Row]) -> Row:
    return rows[0] | {name: statistics.fmean(row[name] for row in rows) for name in rows[0] if name != "name"}


def _totals(rows: list[Row], by_sample: list[list[Row]]) -> tuple[dict[str, float], dict[str, float]]:
    """The mean of each metric over the pictures; and how far that mean moves from sample to sample."""
    names = [name for name in rows[0] if name != "name"]
    totals = {name: statistics.fmean(row[name] for row in rows) for name in names}
    of_samples = [_mean_row(list(sample)) for sample in zip(*by_sample, strict=True)]
    spread = {name: [row[name] for row in of_samples] for name in names if name != "diversity"}
    return totals, {n: statistics.stdev(v) for n, v in spread.items() if len(v) > 1 and all(map(math.isfinite, v))}


def _add_set_metrics(result: Evaluation, measures: Sequence[SetMetric]) -> None:
    for measure in measures:
        result.totals |= measure.compute()
        if isinstance(measure, SegmentationScore):
            result.ceiling = measure.ceiling()
        elif isinstance(measure, LabHistograms):
            result.curves = measure.curves()
        elif isinstance(measure, PerceptualMetrics):
            result.missing = measure.missing


def _write_results(folder: Path, run: Run, record: Record, result: Evaluation) -> None:
    """The numbers for programs and in a page; `record` tells what they were made of."""
    numbers = {
        "metrics": result.totals,
        "spread": result.spread,
        "real_photos": result.ceiling,
        "missing": result.missing,
        "colour_histograms": result.curves,
    }
    summary = _finite({"split": record["split"], "pairs": len(result.rows)} | record | numbers)
    with (folder / "per_image.csv").open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.DictWriter(file, list(result.rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(result.rows)
    write_text_atomic(folder / FILE, json.dumps(summary, indent=2) + "\n")
    environment = jinja2.Environment(loader=jinja2.PackageLoader("pix2pix.evaluation", ""), autoescape=True)
    page = environment.get_template("page.html")
    columns = [name for name in result.rows[0] if name != "name"]
    plots = {axis: _polylines(curve) for axis, curve in result.curves.items()}
    content = {"run": run.path.resolve().name, "summary": summary, "rows": result.rows, "columns": columns}
    write_text_atomic(folder / "index.html", page.render(content, metrics=METRICS, plots=plots))


def _finite(tree: Any) -> Any:
    """The tree with None for infinity and NaN, which JSON does not have."""
    if isinstance(tree, dict):
        return {key: _finite(value) for key, value in tree.items()}
    return None if isinstance(tree, float) and not math.isfinite(tree) else tree


def _polylines(curve: dict[str, list[float]]) -> dict[str, str]:
    """The points of log-probability curves in a box 300 wide and 100 high, for an SVG polyline each."""
    low, high = min(curve["centre"]), max(curve["centre"])
    return {
        kind: " ".join(
            f"{300 * (x - low) / (high - low):.1f},{min(100.0, -100 * y / 6):.1f}"
            for x, y in zip(curve["centre"], curve[kind], strict=True)
        )
        for kind in ("output", "target")
    }
