"""The options that several commands share."""

from collections.abc import Callable, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import click

from pix2pix.core.addresses import describe_address

Option = Callable[[Any], Any]


class LocalPath(click.Path):
    """A path on this machine, as a `Path`. Addresses such as s3://BUCKET are refused."""

    def __init__(self, **options: Any) -> None:
        super().__init__(path_type=Path, **options)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path. Fails for an address, of which `Path` would make a folder."""
        if why := describe_address(str(value)):
            self.fail(f"{why}.", param, ctx)
        return super().convert(value, param, ctx)


CHECKPOINT = click.option(
    "--checkpoint",
    default="last",
    show_default=True,
    metavar="last|best|ema|epoch=N|PATH",
    help="Checkpoint to load; its moving average of the weights if it holds one.",
)
DEVICE = click.option(
    "--device", default="auto", show_default=True, help="Device to run on: auto, cpu, cuda, cuda:1 or mps."
)
NORMALIZATION = click.option(
    "--normalization",
    type=click.Choice(["batch", "running"]),
    help="Batch norm: statistics of each picture (batch), or of the training (running). Default: the run's setting.",
)
DROPOUT = click.option(
    "--dropout", type=click.Choice(["on", "off"]), help="Use dropout as noise at test time. Default: the run's setting."
)
TRUST = click.option(
    "--trust",
    multiple=True,
    metavar="MODULE",
    help="Allow a run to build classes of this Python module. It can run any code: trust its author. Repeatable.",
)
SEED = click.option("--seed", type=click.IntRange(min=0), help="Seed of the dropout noise. Default: the run's setting.")
SPLIT = click.option(
    "--split",
    type=click.Choice(["train", "val", "test"]),
    default="val",
    show_default=True,
    help="Part of the data set to evaluate on.",
)

METRIC = click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="CLASS",
    help="Also measure this metric of yours, as mylab.metrics.EdgeError or NAME=CLASS. Repeatable.",
)
MODEL = [CHECKPOINT, TRUST, NORMALIZATION, DROPOUT]
INFERENCE = [*MODEL, SEED, DEVICE]


def add_options(*groups: Sequence[Option]) -> Option:
    """Returns a decorator that adds all options of these lists to a command."""
    options = [option for group in groups for option in group]
    return lambda command: reduce(lambda extended, option: option(extended), reversed(options), command)
