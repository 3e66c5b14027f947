"""Compares runs: evaluates what is missing, reads the numbers, and writes the page."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, get_args

from pix2pix.core.arguments import require_at_least, require_choice, require_path
from pix2pix.core.trust import Trust
from pix2pix.data.pair import Split
from pix2pix.evaluation.comparison import Comparison
from pix2pix.evaluation.comparison_page import write_page
from pix2pix.evaluation.evaluate import evaluate as evaluate_run
from pix2pix.evaluation.evaluation_spec import EvaluationSpec
from pix2pix.evaluation.fcn_score import resolve_scorer
from pix2pix.evaluation.load_comparison import LEFT_OUT, load_comparison
from pix2pix.evaluation.own_metrics import parse_names
from pix2pix.evaluation.record import Record
from pix2pix.evaluation.select_runs import select_runs
from pix2pix.runs.find import find_folders_without_config, find_runs
from pix2pix.runs.run import DEFAULT_CHECKPOINT, Run

log = logging.getLogger(__name__)


def compare(
    runs: Run | str | Path | Iterable[Run | str | Path],
    split: Split = "val",
    *,
    where: str | Sequence[str] = (),
    columns: str | Sequence[str] = (),
    sort: str | None = None,
    page: str | Path | None = None,
    pictures: int | None = None,
    evaluate: bool = True,
    **options: Any,
) -> Comparison:
    """Compares runs as `pix2pix compare` does; `Comparison.table()` holds the numbers.

    Args:
        runs: runs, or folders of runs such as a sweep.
        split: the split on which the runs are compared.
        where: one or more conditions that the runs must meet, such as `"generator=unet"`; see `select_runs`.
        columns: the metrics to show, in this order; all by default.
        sort: a metric, whose best comes first, or a setting that differs.
        page: an HTML file to write; None for no page.
        pictures: number of inputs that the page shows; None for 8, or fewer with more than 120 rows of runs.
        evaluate: whether to evaluate first the runs whose results are missing, outdated or made with other options.
        options: options of `pix2pix.evaluate` for all runs: checkpoint, data, scorer, metrics, device, trust.

    Raises:
        FileNotFoundError: for a path without runs, or data that are not there.
        ValueError: for a condition that no run meets, a metric that no run has, or if no run can be read.
    """
    _require_options(split, pictures, options.get("data"), page)
    where, columns = ([each] if isinstance(each, str) else each for each in (where, columns))
    paths = _list_paths(runs)
    found = select_runs(find_runs(paths), where)
    for folder in find_folders_without_config(paths):
        log.warning("%s: left out of the comparison: it has no config.yaml. Restore a copy of that file.", folder)
    problems = evaluate_outdated(found, split, **options) if evaluate else {}
    which = {name: options[name] for name in options.keys() & {"checkpoint", "data", "scorer", "trust"}}
    comparison = load_comparison(found, split, **which).arrange(columns, sort)
    for path in comparison.problems.keys() - problems.keys():
        log.error("%s: %s", path, comparison.problems[path])
    comparison.problems |= problems
    if page is not None:
        write_page(comparison, Path(page), pictures=pictures)
    return comparison


def _list_paths(runs: Run | str | Path | Iterable[Run | str | Path]) -> list[str | Path]:
    paths = [runs] if isinstance(runs, Run | str | Path) else list(runs)
    if not paths:
        raise ValueError("no runs: give runs, or folders of runs such as outputs/SWEEP.")
    return [run.path if isinstance(run, Run) else run for run in paths]


def _require_options(split: str, pictures: int | None, data: str | Path | None, page: str | Path | None) -> None:
    require_choice(split, "split", get_args(Split))
    if pictures is not None:
        require_at_least(0, pictures=pictures)
    for name, path in (("data", data), ("page", page)):
        if path is not None:
            require_path(path, name)
    if page is not None and Path(page).is_dir():
        raise ValueError(f"--output {page}: is a folder. Name a file, such as {Path(page) / 'comparison.html'}.")
    if data is not None and "://" not in str(data) and not Path(data).exists():
        raise FileNotFoundError(f"--data {data}: there is no such folder or table of pairs.")


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
) -> dict[Path, str]:
    """Evaluates the runs whose evaluation is missing, outdated or made with other options.

    Takes the options of `evaluate`. A run that is damaged or cannot be evaluated is logged, and the others are still
    evaluated. Returns why, by the paths of those runs.
    """
    spec = EvaluationSpec(
        split, checkpoint, data, resolve_scorer(scorer) if scorer else None, trust, tuple(parse_names(metrics))
    )
    problems = _find_damaged(runs)  # first: an evaluation takes minutes, and would be lost with its run
    for run in runs:
        if run.path in problems:
            continue
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
                evaluate_run(run, split=split, data=data, **options, **_previous_options(record, scorer))
        except (ValueError, OSError) as error:  # the other runs are still evaluated
            problems[run.path] = f"not evaluated: {error}"
            log.error("%s: %s", run.path, problems[run.path])
    return problems


def _find_damaged(runs: Sequence[Run]) -> dict[Path, str]:
    """Why runs that cannot be read are left out, by their paths; logged, unless there is no other run to compare."""
    damaged: dict[Path, str] = {}
    for run in runs:
        try:
            run.config()
            run.provenance()
        except (ValueError, OSError) as error:
            damaged[run.path] = f"{LEFT_OUT}: {error}"
    if len(damaged) < len(runs):
        for path, problem in damaged.items():
            log.error("%s: %s", path, problem)
    return damaged


def _previous_options(record: Record | None, scorer: str | None) -> dict[str, Any]:
    """The optional metrics of the previous evaluation, which the new one computes again."""
    record = record or {}
    previous = (record.get("scorer") or {}).get("path")
    perceptual = record.get("perceptual", "fid" in record.get("metrics", {}))
    return {"perceptual": perceptual, "scorer": scorer or (previous if previous and Path(previous).is_file() else None)}
