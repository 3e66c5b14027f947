"""`pix2pix evaluate`: measures the quality of runs on one split."""

from pathlib import Path
from typing import Any

import click

from pix2pix.cli.completion import complete_path
from pix2pix.cli.options import INFERENCE, METRIC, LocalPath, add_options


def list_metrics(context: click.Context, _: click.Parameter, is_asked: bool) -> None:
    """Prints the built-in metrics, each with its better direction and its meaning, and ends the command."""
    if not is_asked or context.resilient_parsing:
        return
    from pix2pix.config.metric_names import METRICS

    for name, metric in METRICS.items():
        click.echo(f"{name:22}{'higher' if metric.higher_is_better else 'lower':8}{metric.meaning}")
    click.echo("Your own: --metric CLASS, or the setting metrics (docs/metrics.md).")
    context.exit()


@click.command()
@click.argument("runs", nargs=-1, required=True, shell_complete=complete_path, metavar="RUN...")
@click.option(
    "--split",
    type=click.Choice(["train", "val", "test"]),
    help="Part of the data to evaluate on. Default: val; of a DIR that has no val, its test.",
)
@click.option("--scorer", metavar="RUN", help="Run from photos to labels that segments the generated photos.")
@click.option("--samples", type=click.IntRange(min=1), default=1, show_default=True, help="Outputs per input.")
@click.option("--perceptual", is_flag=True, help="Also compute LPIPS, FID and KID (needs pix2pix[perceptual]).")
@click.option(
    "--data",
    metavar="DIR",
    help="Folder of pairs, with splits or without: then all its pairs. Default: the data of the training.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Largest number of pairs, evenly spaced. Default: all.")
@click.option("--output", "-o", type=LocalPath(), help="Folder to write to. Default: in RUN/evaluation.")
@click.option(
    "--on-error",
    type=click.Choice(["fail", "skip"]),
    help="If a pair cannot be read: end the evaluation, or leave the pair out and name it. Default: as in training.",
)
@METRIC
@click.option(
    "--list-metrics",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=list_metrics,
    help="List what is measured, and exit.",
)
@add_options(INFERENCE)
def evaluate(runs: tuple[str, ...], output: Path | None, **options: Any) -> None:
    """Measure the quality of runs on one split.

    Writes the metrics of each picture, their totals and an HTML page into RUN/evaluation.

    With --output, RUN may also be a checkpoint, exported weights or the name of a built-in translator.

    \b
    pix2pix evaluate outputs/facades --split test
    pix2pix evaluate outputs/facades --data my/pairs
    pix2pix evaluate facades --data my/pairs --output results
    """
    from pix2pix.evaluation.evaluate import evaluate as evaluate_run
    from pix2pix.runs.run import Run

    if output is not None and len(runs) > 1:
        raise ValueError("--output takes the results of one RUN. Leave it out, or evaluate each RUN by itself.")
    for run in runs:
        result = evaluate_run(run, output=output, **options)
        click.echo(f"{Run(run).path}  {result.description}")
        for name in result.totals:
            click.echo(f"  {result.describe(name)}")
        if result.intervals:
            click.echo("  In parentheses: 95 % intervals over the pictures, by bootstrap.")
        if result.ceiling:
            real = "  ".join(f"{name} {value:.4f}" for name, value in result.ceiling.items())
            click.echo(f"  the scorer on the real photos:  {real}")
        for name, reason in result.missing.items():
            click.echo(f"  {name}: not measured, {reason}")
        click.echo(result.folder / "index.html")
