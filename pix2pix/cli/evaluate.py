"""`pix2pix evaluate`: measure runs on a split: per picture and in total, with a page to look at."""

from typing import Any

import click

from pix2pix.cli.options import CHECKPOINT, DEVICE, DROPOUT, NORMALIZATION, SEED, TRUST


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("--split", type=click.Choice(["train", "val", "test"]), default="val", show_default=True)
@click.option("--scorer", metavar="RUN", help="A run from photos to labels that reads the generated photos.")
@click.option("--samples", type=click.IntRange(min=1), default=1, show_default=True, help="Outputs for each input.")
@click.option("--perceptual", is_flag=True, help="LPIPS, FID and KID too (extra `perceptual`).")
@click.option("--data", metavar="DIR", help="The folder of pairs. Default: where it was when the run was trained.")
@CHECKPOINT
@TRUST
@NORMALIZATION
@DROPOUT
@SEED
@DEVICE
def evaluate(runs: tuple[str, ...], split: Any, **options: Any) -> None:
    """Measure runs on a split: per picture and in total, with a page to look at.

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
