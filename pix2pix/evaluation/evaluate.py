"""Evaluates a run on a split: metrics per picture, totals, output pictures and an HTML page."""

import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from pix2pix.config.schema import RunConfig
from pix2pix.core.allocator import keep_freed_memory
from pix2pix.core.arguments import require_at_least, require_choice, require_path
from pix2pix.core.atomic_files import atomic_dir
from pix2pix.core.prefetch import batch_by_size, read_run_write
from pix2pix.core.progress_bars import tqdm
from pix2pix.data.pair import Split
from pix2pix.data.sources.skip_unreadable import OnError
from pix2pix.evaluation.bootstrap import mean_intervals
from pix2pix.evaluation.choose_metrics import ChosenMetrics, choose_metrics
from pix2pix.evaluation.evaluate_pairs import PairEvaluator, Row, SetMetric
from pix2pix.evaluation.fcn_score import SegmentationScore
from pix2pix.evaluation.folders import evaluation_folder, keep_former_evaluation
from pix2pix.evaluation.lab_histograms import LabHistograms
from pix2pix.evaluation.own_metrics import OWN_METRICS
from pix2pix.evaluation.perceptual import PerceptualMetrics
from pix2pix.evaluation.record import make_record
from pix2pix.evaluation.results import FILES, Evaluation, write_results
from pix2pix.evaluation.select_pairs import Selection, select_pairs
from pix2pix.inference.builtin import BUILTIN
from pix2pix.inference.generator import TrainedGenerator, load_generator
from pix2pix.inference.hub import is_hub_address
from pix2pix.runs.run import Run


def evaluate(
    run: Run | str | Path,
    *,
    split: Split | None = None,
    data: str | Path | None = None,
    limit: int | None = None,
    output: str | Path | None = None,
    scorer: str | Path | None = None,
    perceptual: bool = False,
    metrics: Sequence[str] = (),
    samples: int = 1,
    on_error: OnError | None = None,
    **options: Any,
) -> Evaluation:
    """Evaluates a run on a split and writes the results once they are complete.

    Args:
        run: the run, or its directory.
        split: `train`, `val` or `test`, without augmentation. None: `val`; of a folder without it, `test` or `train`.
        data: a folder of other pairs, with splits or without: then all its pairs are evaluated.
        limit: the largest number of pairs, which are evenly spaced.
        output: an empty folder, or one with an evaluation. None: one of the run, such as `evaluation/val,dropout=off/`.
        scorer: a run from photos to labels that segments the outputs.
        perceptual: also compute LPIPS, FID and KID.
        metrics: classes of your own metrics, as CLASS or NAME=CLASS, beside those of the configuration.
        samples: outputs per input, each with its own noise; metrics are their means.
        on_error: `fail` raises the error of an unreadable pair, `skip` leaves the pair out. None: as in the training.
        options: options of `load_generator`: checkpoint, device, normalization, dropout, seed, trust.

    Raises:
        FileNotFoundError: when the run, its checkpoint or its data do not exist.
        ValueError: for a split that is not there, a scorer that does not fit, or an `output` that holds other files.
    """
    _require_options(split, limit, samples, on_error, data=data, output=output, scorer=scorer)
    run, output = _open_places(run, output)
    trained = load_generator(run.path, **options)
    trained.pack()
    selection = select_pairs(run, trained, data, split, limit)
    chosen = choose_metrics(trained, scorer, perceptual, metrics, options.get("device", "auto"))
    choices = options | {"data": data, "samples": samples, "limit": limit}
    place = output or _choose_folder(run, trained.config, selection.split, **choices)
    on_error = on_error or trained.config.data.on_error
    return _evaluate_selection(run, trained, selection, chosen, samples, place, on_error)


def _require_options(
    split: Split | None, limit: int | None, samples: int, on_error: OnError | None, **paths: str | Path | None
) -> None:
    """Raises ValueError for a number, word or path that would choose other pairs than was meant, or none."""
    if split is not None:
        require_choice(split, "split", get_args(Split))
    if on_error is not None:
        require_choice(on_error, "on_error", get_args(OnError))
    require_at_least(1, limit=limit, samples=samples)
    for name, path in paths.items():
        if path is not None:
            require_path(path, name)


def _open_places(place: Run | str | Path, output: str | Path | None) -> tuple[Run, Path | None]:
    """The run and the folder for the results. Raises ValueError for a folder that holds anything but an evaluation."""
    run = place if isinstance(place, Run) else Run(place)
    if output is None:
        if run.path.is_file() or is_hub_address(run.path) or (str(run.path) in BUILTIN and not run.path.exists()):
            name = place if isinstance(place, str) else run.path
            raise ValueError(f"{name}: is no run directory, which would hold the results. Set --output DIR.")
        run.config()  # raises if this is no run directory, which the results are written to
        return run, None
    folder = Path(output)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--output {folder}: is a file. Name a folder.")
    others = sorted({file.name for file in folder.iterdir()} - FILES) if folder.is_dir() else []
    if others:
        raise ValueError(f"--output {folder}: holds other files, such as {others[0]}. Name an empty or a new folder.")
    return run, folder


def _choose_folder(run: Run, config: RunConfig, split: Split, **options: Any) -> Path:
    folder = evaluation_folder(run, config, split, **{key: value for key, value in options.items() if key != "device"})
    run.require_inside(folder)
    return folder


def _evaluate_selection(
    run: Run,
    trained: TrainedGenerator,
    selection: Selection,
    chosen: ChosenMetrics,
    samples: int,
    folder: Path,
    on_error: OnError,
) -> Evaluation:
    """Writes all files of the evaluation beside `folder`, which they replace once they are complete."""
    keep_freed_memory()
    record = make_record(trained, selection, samples, chosen.scorer_file, chosen.perceptual)
    record[OWN_METRICS] = {name: metric.describe()._asdict() for name, metric in chosen.own.items()}
    with atomic_dir(folder) as part:
        evaluator = PairEvaluator(
            trained, selection.pairs, chosen.of_sets, samples, part / "images", chosen.of_pairs, on_error
        )
        result = _evaluate_pairs(evaluator, folder, selection)
        record["data"]["description"] = result.description
        record["data"]["pictures"] = evaluator.digest.digest()
        write_results(part, run, record, result)
        if folder.parent == run.evaluation:
            keep_former_evaluation(folder)
    return result


def _evaluate_pairs(evaluator: PairEvaluator, folder: Path, selection: Selection) -> Evaluation:
    """Evaluates all pairs, then the metrics of the whole set."""
    by_sample = _run_pairs(evaluator)
    if not by_sample and evaluator.errors:
        raise ValueError(f"none of the pairs can be read. The first: {evaluator.errors[min(evaluator.errors)]}")
    skipped = {selection.name(index): str(evaluator.errors[index]) for index in sorted(evaluator.errors)}
    result = Evaluation(folder, selection.describe(list(skipped)), rows=[_mean_row(rows) for rows in by_sample])
    result.skipped = skipped
    result.totals, result.spread = _totals(result.rows, by_sample)
    result.intervals = mean_intervals({name: [row[name] for row in result.rows] for name in result.totals})
    _add_set_metrics(result, evaluator.metrics)
    return result


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
        result.intervals |= measure.intervals()
        if isinstance(measure, SegmentationScore):
            result.ceiling = measure.ceiling()
        elif isinstance(measure, LabHistograms):
            result.curves = measure.curves()
        elif isinstance(measure, PerceptualMetrics):
            result.missing, result.counts = measure.missing, measure.counts()
            result.spread |= measure.spread
