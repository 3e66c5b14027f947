"""`pix2pix evaluate`: measures the quality of runs on one split."""

from typing import Any

import click

from pix2pix.cli.options import CHECKPOINT, DEVICE, DROPOUT, NORMALIZATION, SEED, SPLIT, TRUST


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@SPLIT
@click.option("--scorer", metavar="RUN", help="Run from photos to labels that segments the generated photos.")
@click.option("--samples", type=click.IntRange(min=1), default=1, show_default=True, help="Outputs per input.")
@click.option("--perceptual", is_flag=True, help="Also compute LPIPS, FID and KID (needs pix2pix[perceptual]).")
@click.option("--data", metavar="DIR", help="Folder of pairs. Default: the one the run was trained on.")
@CHECKPOINT
@TRUST
@NORMALIZATION
@DROPOUT
@SEED
@DEVICE
def evaluate(runs: tuple[str, ...], split: Any, **options: Any) -> None:
    """Measure the quality of runs on one split.

    Writes the metrics of each picture, their totals and an HTML page into RUN/evaluation.

    \b
    pix2pix evaluate outputs/facades --split test
    """
    from pix2pix.evaluation.evaluate import evaluate as evaluate_run
    from pix2pix.runs.run import Run

    for run in map(Run, runs):
        result = evaluate_run(run, split=split, **options)
        numbers = "  ".join(f"{name} {value:.4f}" for name, value in result.totals.items())
        click.echo(f"{run.path}  {split}, {len(result.rows)} pairs:  {numbers}")
        if result.ceiling:
            real = "  ".join(f"{name} {value:.4f}" for name, value in result.ceiling.items())
            click.echo(f"  the scorer on the real photos:  {real}")
        for name, reason in result.missing.items():
            click.echo(f"  {name}: not measured, {reason}")
        click.echo(result.folder / "index.html")
