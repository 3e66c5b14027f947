"""Compares runs: evaluates what is missing, reads the numbers, and writes the page."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from pix2pix.core.trust import Trust
from pix2pix.data.pair import Split
from pix2pix.evaluation.compare_runs import load_comparison
from pix2pix.evaluation.comparison import Comparison
from pix2pix.evaluation.comparison_page import evaluate_outdated, write_page
from pix2pix.runs.find import find_runs
from pix2pix.runs.run import DEFAULT_CHECKPOINT, Run


def compare(
    runs: Run | str | Path | Iterable[Run | str | Path],
    split: Split = "val",
    *,
    page: str | Path | None = None,
    pictures: int = 8,
    evaluate: bool = True,
    checkpoint: str = DEFAULT_CHECKPOINT,
    data: str | Path | None = None,
    scorer: str | None = None,
    metrics: Sequence[str] = (),
    device: str = "auto",
    trust: Trust = (),
) -> Comparison:
    """Compares runs as `pix2pix compare` does; `Comparison.table()` holds the numbers.

    Args:
        runs: runs, or folders of runs such as a sweep.
        split: the split on which the runs are compared.
        page: an HTML file to write; None for no page.
        pictures: number of inputs that the page shows.
        evaluate: whether to evaluate first the runs whose results are missing, outdated or made with other options.
        checkpoint: the evaluated checkpoint of each run.
        data: a folder of pairs for all runs; None: each run's own.
        scorer: a run from photos to labels that segments the outputs.
        metrics: classes of your own metrics, as CLASS or NAME=CLASS.
        device: where the runs are evaluated: `auto`, `cpu`, `cuda`.
        trust: modules outside pix2pix whose classes the configurations may build; see `pix2pix.core.trust`.

    Raises:
        FileNotFoundError: for a path without runs, or data that are not there.
        ValueError: for a run that is damaged.
    """
    if data is not None and "://" not in str(data) and not Path(data).exists():
        raise FileNotFoundError(f"--data {data}: there is no such folder or table of pairs.")
    given = [runs] if isinstance(runs, Run | str | Path) else runs
    found = find_runs(run.path if isinstance(run, Run) else run for run in given)
    if evaluate:
        evaluate_outdated(
            found,
            split,
            checkpoint=checkpoint,
            data=data,
            scorer=scorer,
            metrics=metrics,
            device=device,
            trust=trust,
        )
    which = {"checkpoint": checkpoint, "data": data, "trust": trust}
    if page is None:
        return load_comparison(found, split, **which)
    return write_page(found, split, Path(page), pictures=pictures, **which)
