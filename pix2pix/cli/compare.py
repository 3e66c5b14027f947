"""`pix2pix compare`: compares runs on one HTML page."""

from pathlib import Path
from typing import Any

import click

from pix2pix.cli.completion import complete_path
from pix2pix.cli.options import CHECKPOINT, DEVICE, METRIC, SPLIT, TRUST


@click.command()
@click.argument("paths", nargs=-1, required=True, shell_complete=complete_path, metavar="RUN_OR_SWEEP...")
@SPLIT
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="HTML page to write. Default: comparison.html in the sweep."
)
@click.option("--csv", "csv_file", type=click.Path(path_type=Path), help="CSV file to write, a row per run.")
@click.option(
    "--markdown", type=click.Path(path_type=Path), help="Markdown file to write, with mean and spread over seeds."
)
@click.option("--pictures", type=click.IntRange(min=0), default=8, show_default=True, help="Number of inputs to show.")
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
def compare(paths: tuple[str, ...], split: Any, output: Path | None, **options: Any) -> None:
    """Compare runs on one HTML page.

    The page shows metrics, curves, settings, and the same pictures side by side.

    \b
    pix2pix compare outputs/receptive_field --split test
    """
    from pix2pix.core.atomic_files import write_text_atomic
    from pix2pix.evaluation import comparison_page as comparing
    from pix2pix.evaluation.compare import compare as compare_runs

    names = ("evaluate", "pictures", "scorer", "metrics", "device", "checkpoint", "data", "trust")
    page = output or (Path(paths[0]) if len(paths) == 1 else Path()) / "comparison.html"
    comparison = compare_runs(paths, split, page=page, **{name: options[name] for name in names})
    for warning in comparison.warnings():
        click.echo(warning, err=True)
    for file, text in ((options["csv_file"], comparing.to_csv), (options["markdown"], comparing.to_markdown)):
        if file is not None:
            write_text_atomic(file, text(comparison))
    click.echo(f"{comparing.to_markdown(comparison)}\n{page}")
    if options["project"]:
        from pix2pix.evaluation.wandb_workspace import save_workspace

        name = ", ".join(Path(path).name for path in paths)
        click.echo(save_workspace(comparison, project=options["project"], entity=options["entity"], name=name))
