"""Options that several commands take."""

import click

CHECKPOINT = click.option(
    "--checkpoint", default="best", show_default=True, metavar="best|last|ema|epoch=N|PATH", help="Which weights."
)


DEVICE = click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps.")


NORMALIZATION = click.option(
    "--normalization",
    type=click.Choice(["batch", "running"]),
    help="Statistics of the picture, or of training. Default: the run's.",
)


DROPOUT = click.option("--dropout", type=click.Choice(["on", "off"]), help="Dropout as noise. Default: the run's.")


TRUST = click.option(
    "--trust",
    multiple=True,
    metavar="MODULE",
    help="Build classes of this module, too, where a run names them. It may run anything: know it. Repeatable.",
)


SEED = click.option("--seed", type=click.IntRange(min=0), help="Of the dropout noise. Default: the run's.")
