"""Evaluates a run on a split: metrics per picture, totals, output pictures and an HTML page."""

import logging
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor
from tqdm import tqdm

from pix2pix.config.schema import RunConfig
from pix2pix.core.addresses import require_no_secrets
from pix2pix.core.allocator import keep_freed_memory
from pix2pix.core.atomic_files import atomic_dir
from pix2pix.core.prefetch import batch_by_size, read_run_write
from pix2pix.data.pair import PairSource, Split
from pix2pix.evaluation.confusion import ConfusionMatrix
from pix2pix.evaluation.evaluate_pairs import PairEvaluator, Row, SetMetric
from pix2pix.evaluation.fcn_score import SegmentationScore
from pix2pix.evaluation.folders import evaluation_folder, keep_former_evaluation
from pix2pix.evaluation.lab_histograms import LabHistograms
from pix2pix.evaluation.perceptual import PerceptualMetrics
from pix2pix.evaluation.record import make_record
from pix2pix.evaluation.results import Evaluation, write_results
from pix2pix.inference.generator import TrainedGenerator, load_generator
from pix2pix.runs.run import Run

log = logging.getLogger(__name__)


class LabelAccuracy:
    """Agreement of generated label maps with the true ones (paper, table 6)."""

    def __init__(self, trained: TrainedGenerator) -> None:
        assert trained.palette is not None
        self.palette = trained.palette
        self.confusion = ConfusionMatrix(len(self.palette), self.palette.ignored)

    def update(self, output: Tensor, target: Tensor, labels: Tensor | None) -> None:
        """Adds label maps, coloured or one-hot."""
        assert labels is not None
        self.confusion.update(self.palette.classify(output), labels)

    def compute(self) -> dict[str, float]:
        """`pixel_accuracy`, `class_accuracy` and `class_iou`, each 0 to 1."""
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
    """Evaluates a run on a split and writes the results to `evaluation/SPLIT/` once they are complete.

    An evaluation on other data or with other options has its own folder, such as `evaluation/val,dropout=off/`.

    Args:
        run: the run.
        split: `train`, `val` or `test`, without augmentation.
        data: a folder of pairs in place of the training data.
        scorer: a run from photos to labels that segments the outputs.
        perceptual: also compute LPIPS, FID and KID.
        samples: outputs per input under different dropout noise; metrics are their means.
        options: options of `load_generator`: checkpoint, device, normalization, dropout, seed, trust.

    Raises:
        FileNotFoundError: when the run, its checkpoint or its data do not exist.
        ValueError: for `data` if the pairs of the run are no files, or a scorer that does not fit the run.
    """
    keep_freed_memory()
    run.config()  # raises if this is no run directory, which the results are written to
    trained = load_generator(run.path, **options)
    source = _open_pairs(trained, data, split)
    metrics = _set_metrics(trained, scorer, perceptual, options.get("device", "auto"))
    folder = _choose_folder(run, trained.config, split, data=data, samples=samples, **options)
    record = make_record(trained, source, split, samples, _scorer_file(metrics), perceptual)
    with atomic_dir(folder) as part:
        evaluator = PairEvaluator(trained, source.split(split), metrics, samples, part / "images")
        result = _evaluate_pairs(evaluator, folder)
        record["data"]["pictures"] = evaluator.digest.digest()
        write_results(part, run, record, result)
        keep_former_evaluation(folder)
    return result


def _choose_folder(run: Run, config: RunConfig, split: Split, **options: Any) -> Path:
    folder = evaluation_folder(run, config, split, **{key: value for key, value in options.items() if key != "device"})
    run.require_inside(folder)
    return folder


def _evaluate_pairs(evaluator: PairEvaluator, folder: Path) -> Evaluation:
    """Evaluates all pairs, then the metrics of the whole set."""
    by_sample = _run_pairs(evaluator)
    result = Evaluation(folder, rows=[_mean_row(rows) for rows in by_sample])
    result.totals, result.spread = _totals(result.rows, by_sample)
    _add_set_metrics(result, evaluator.metrics)
    return result


def _open_pairs(trained: TrainedGenerator, path: str | Path | None, split: Split) -> PairSource:
    """Opens the pairs of the run's configuration, or those in the folder `path`."""
    require_no_secrets([("--data", str(path))])
    if path is not None and not trained.config.data.has_folder:
        raise ValueError(f"--data {path}: the pairs of this run are generated and have no folder. Omit --data.")
    try:
        source = trained.open_pairs(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error} If the data moved, give their folder with --data.") from error
    if split == "test" and source.files("val") and source.files("val") is source.files("test"):
        log.info("--split test: the data have one held-out split; val and test are the same pairs.")
    return source


def _scorer_file(metrics: Sequence[SetMetric]) -> Path | None:
    scorers = [measure.scorer.checkpoint for measure in metrics if isinstance(measure, SegmentationScore)]
    return scorers[0] if scorers else None


def _set_metrics(
    trained: TrainedGenerator, scorer: str | Path | None, perceptual: bool, device: str
) -> list[SetMetric]:
    metrics: list[SetMetric] = []
    labels = trained.config.data.label_map_side == "target"
    if labels:
        metrics.append(LabelAccuracy(trained))
    elif trained.config.data.target_channels in {2, 3}:
        metrics.append(LabHistograms())
    if scorer is not None:
        metrics.append(SegmentationScore(scorer, trained.config, device, trained.trust))
    if perceptual and not labels:
        metrics.append(PerceptualMetrics())
    return metrics


def _run_pairs(evaluator: PairEvaluator) -> list[list[Row]]:
    """The rows of each pair, one per sample. Pairs of one size run in batches."""
    data, length = evaluator.trained.config.data, len(evaluator.pairs)
    size = data.shape if data.has_one_size else None
    indices = batch_by_size(range(length), lambda index: size)
    rows: list[list[Row]] = []
    with tqdm(total=length, unit="pair", disable=None) as progress:
        for row in read_run_write(indices, evaluator.read, evaluator.run, evaluator.write):
            rows.append(row)
            progress.update()
    return rows


def _mean_row(rows: Sequence[Row]) -> Row:
    return rows[0] | {name: statistics.fmean(row[name] for row in rows) for name in rows[0] if name != "name"}


def _totals(rows: list[Row], by_sample: list[list[Row]]) -> tuple[dict[str, float], dict[str, float]]:
    """The mean of each metric over the pictures, and the standard deviation of that mean over samples."""
    names = [name for name in rows[0] if name != "name"]
    totals = {name: statistics.fmean(row[name] for row in rows) for name in names}
    sample_means = [_mean_row(list(sample)) for sample in zip(*by_sample, strict=True)]
    spread = {name: [row[name] for row in sample_means] for name in names if name != "diversity"}
    return totals, {n: statistics.stdev(v) for n, v in spread.items() if len(v) > 1 and all(map(math.isfinite, v))}


def _add_set_metrics(result: Evaluation, metrics: Sequence[SetMetric]) -> None:
    for measure in metrics:
        result.totals |= measure.compute()
        if isinstance(measure, SegmentationScore):
            result.ceiling = measure.ceiling()
        elif isinstance(measure, LabHistograms):
            result.curves = measure.curves()
        elif isinstance(measure, PerceptualMetrics):
            result.missing = measure.missing
