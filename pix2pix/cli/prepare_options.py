"""The options that the commands of `pix2pix data prepare` share."""

from collections.abc import Callable
from typing import Any

import click

from pix2pix.cli.options import LocalPath

FOLDER = LocalPath()
OPERATIONS = ["grayscale", "edges", "inpaint", "superres", "blur", "noise"]
FOLDER_OF_PAIRS = click.option("--output", "-o", type=FOLDER, required=True, help="Folder of pairs to write.")


def _share_option(name: str, default: float, purpose: str) -> Callable[[Any], Any]:
    """The option that says which fraction of the pairs goes to a split."""
    return click.option(
        name,
        type=click.FloatRange(0, 0.9),
        default=default,
        show_default=True,
        help=f"Fraction of the pairs for {purpose}.",
    )


SPLIT = [
    _share_option("--val", 0.1, "validation"),
    _share_option("--test", 0.0, "testing"),
    click.option(
        "--seed",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help="Seed of the random split, holes and noise.",
    ),
]
OUTPUT = [
    FOLDER_OF_PAIRS,
    click.option("--size", metavar="N|WxH", help="Size of both images, in pixels. Default: unchanged."),
    click.option(
        "--fit",
        type=click.Choice(["crop", "stretch", "pad"]),
        default="crop",
        show_default=True,
        help="How to bring pictures of another aspect ratio to --size.",
    ),
    click.option(
        "--labels", type=click.Choice(["A", "B", "AB"]), help="Images that are label maps: colours are not blended."
    ),
    click.option(
        "--layout",
        type=click.Choice(["side-by-side", "folders"]),
        help="Write A and B into one file side by side (default), or into folders trainA, trainB and so on.",
    ),
    click.option(
        "--format",
        "suffix",
        type=click.Choice(["png", "jpg"]),
        default="png",
        show_default=True,
        help="File format of the pictures.",
    ),
    *SPLIT,
    click.option("--workers", type=click.IntRange(min=1), help="Number of threads. Default: one per core."),
    click.option("--dry-run", is_flag=True, help="Print every file that would be written, and write none."),
]
DERIVING = [
    click.option(
        "--amount",
        type=click.FloatRange(min=0, min_open=True),
        help="Strength of the operation, as data.source.amount. Default: depends on the operation.",
    ),
    click.option(
        "--fill",
        type=click.Choice(["white", "noise"]),
        default="white",
        show_default=True,
        help="What --operation inpaint fills the hole with.",
    ),
    click.option(
        "--detector",
        metavar="FILE.onnx",
        help="Network that detects edges in place of Canny (needs pix2pix[detector]).",
    ),
]
UNMATCHED = click.option("--allow-unmatched", is_flag=True, help="Skip files without a partner. Default: refuse.")


def operation_option(*, is_required: bool) -> Callable[[Any], Any]:
    """The option that chooses how A is made from B."""
    return click.option(
        "--operation", type=click.Choice(OPERATIONS), required=is_required, help="Operation that makes A from B."
    )
