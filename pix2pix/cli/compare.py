"""`pix2pix compare`: compares runs on one HTML page."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pix2pix.cli.completion import complete_path
from pix2pix.cli.options import CHECKPOINT, DEVICE, METRIC, SPLIT, TRUST, LocalPath
from pix2pix.core.terminal import is_styled, style

if TYPE_CHECKING:
    from pix2pix.evaluation.comparison import Comparison


@click.command()
@click.argument("paths", nargs=-1, required=True, shell_complete=complete_path, metavar="RUN_OR_SWEEP...")
@SPLIT
@click.option("--output", "-o", type=LocalPath(), help="HTML page to write. Default: comparison.html in the sweep.")
@click.option("--csv", "csv_file", type=LocalPath(), help="CSV file to write, a row per run.")
@click.option("--markdown", type=LocalPath(), help="Markdown file to write, with mean and spread over seeds.")
@click.option("--latex", type=LocalPath(), help="LaTeX file to write, a table for the package booktabs.")
@click.option(
    "--where",
    multiple=True,
    metavar="SETTING=VALUE",
    help="Compare only runs with this setting, such as generator=unet or seed=1,2. Repeatable.",
)
@click.option("--metrics", "columns", metavar="NAME,NAME", help="Metrics to show, in this order. Default: all.")
@click.option("--sort", metavar="NAME", help="Metric, whose best comes first, or setting to sort by.")
@click.option("--paired", is_flag=True, help="Also test the differences from the best, over pictures and over seeds.")
@click.option(
    "--pictures", type=click.IntRange(min=0), help="Number of inputs to show. Default: 8, fewer for more than 120 runs."
)
@click.option("--scorer", metavar="RUN", help="Run from photos to labels that segments the generated photos.")
@click.option("--data", metavar="DIR", help="Folder of pairs for all runs. Default: each run's own.")
@click.option("--wandb", "project", metavar="PROJECT", help="Also save a workspace in this W&B project.")
@click.option("--wandb-entity", "entity", metavar="NAME", help="W&B user or team of the project. Default: yours.")
@click.option(
    "--evaluate/--no-evaluate",
    default=True,
    help="First evaluate runs whose results are missing, outdated or made with other options. Default: yes.",
)
@METRIC
@CHECKPOINT
@TRUST
@DEVICE
def compare(paths: tuple[str, ...], split: Any, output: Path | None, columns: str | None, **options: Any) -> None:
    """Compare runs on one HTML page.

    The page shows metrics, curves, settings, and the same pictures side by side.

    \b
    pix2pix compare outputs/receptive_field --split test
    pix2pix compare outputs/ --where generator=unet --metrics l1,ssim --sort l1 --latex table.tex --paired
    """
    from pix2pix.core.atomic_files import write_text_atomic
    from pix2pix.evaluation import comparison_tables as tables
    from pix2pix.evaluation.compare import compare as compare_runs

    names = ("where", "sort", "evaluate", "pictures", "scorer", "metrics", "device", "checkpoint", "data", "trust")
    page = output or (Path(paths[0]) if len(paths) == 1 else Path()) / "comparison.html"
    chosen: dict[str, Any] = {name: options[name] for name in names} | {"columns": _split_names(columns)}
    comparison = compare_runs(paths, split, page=page, **chosen)
    for warning in comparison.warnings():
        click.echo(style(warning, "yellow", stream=sys.stderr), err=True)
    for name, write in (("csv_file", tables.to_csv), ("markdown", tables.to_markdown), ("latex", tables.to_latex)):
        if options[name] is not None:
            write_text_atomic(options[name], write(comparison))
    bold = (lambda text: style(text, "bold")) if is_styled(sys.stdout) else None
    click.echo(tables.to_text(comparison, bold=bold))
    for pairs in comparison.evaluated_pairs():
        click.echo(f"Evaluated on {pairs}.\n")
    if options["paired"]:
        click.echo(_paired_tests(comparison))
    click.echo(page)
    if options["project"]:
        from pix2pix.evaluation.wandb_workspace import save_workspace

        name = ", ".join(Path(path).name for path in paths)
        click.echo(save_workspace(comparison, project=options["project"], entity=options["entity"], name=name))


def _split_names(text: str | None) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()] if text else []


def _paired_tests(comparison: "Comparison") -> str:
    from pix2pix.evaluation.paired_tests import compare_with_best, format_paired_tests

    tests = [test for name in comparison.metrics for test in compare_with_best(comparison, name)]
    if not tests:
        return "No paired tests: they need two groups of finished runs that were evaluated on the same pictures.\n"
    return format_paired_tests(tests)
