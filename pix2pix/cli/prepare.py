"""`pix2pix data prepare ...`: every way to a folder of pairs, with the options they share."""

from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

import click

FOLDER = click.Path(path_type=Path)
OPERATIONS = ["grayscale", "edges", "inpaint", "superres", "blur", "noise"]
OUTPUT = [
    click.option("--output", "-o", type=FOLDER, required=True, help="The new folder of pairs."),
    click.option("--size", metavar="N|WxH", help="Bring both images to this size. Default: leave them."),
    click.option("--fit", type=click.Choice(["crop", "stretch", "pad"]), default="crop", show_default=True),
    click.option("--labels", type=click.Choice(["A", "B", "AB"]), help="Label maps: their colours are never mixed."),
    click.option("--layout", type=click.Choice(["side-by-side", "folders"]), default="side-by-side", show_default=True),
    click.option("--format", "suffix", type=click.Choice(["png", "jpg"]), default="png", show_default=True),
    click.option("--val", type=click.FloatRange(0, 0.9), default=0.1, show_default=True, help="Share of validation."),
    click.option("--test", type=click.FloatRange(0, 0.9), default=0.0, show_default=True, help="Share of test."),
    click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of split, holes, noise."),
    click.option("--workers", type=click.IntRange(min=1), help="Threads. Default: one on each core."),
    click.option("--dry-run", is_flag=True, help="Print every file that would be written, and write none."),
]
DERIVING = [
    click.option("--operation", type=click.Choice(OPERATIONS), required=True, help="Makes A from B."),
    click.option("--amount", type=click.FloatRange(min=0, min_open=True), help="How much of it; as data.pairs.amount."),
    click.option("--fill", type=click.Choice(["white", "noise"]), default="white", show_default=True),
    click.option("--detector", metavar="FILE.onnx", help="Edges by a network instead of Canny (extra `detector`)."),
]
UNMATCHED = click.option("--allow-unmatched", is_flag=True, help="Leave out what has no partner instead of refusing.")


def sharing(*groups: list[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """A decorator with the options of several lists."""
    options = [option for group in groups for option in group]
    return lambda command: reduce(lambda made, option: option(made), reversed(options), command)


@click.group()
def prepare() -> None:
    """Make a folder of pairs that `pix2pix train data=folder` reads. Killed, the same command goes on.

    \b
    pix2pix data prepare pairs labels/ photos/ -o data/mine --size 256
    pix2pix data prepare derive photos/ -o data/edges --operation edges
    """


@prepare.command()
@click.argument("a", type=FOLDER)
@click.argument("b", type=FOLDER)
@click.option("--by", type=click.Choice(["name", "order"]), default="name", show_default=True)
@click.option("--strip", multiple=True, metavar="TEXT", help="Ignore this in names, like _mask; repeatable.")
@UNMATCHED
@sharing(OUTPUT)
def pairs(a: Path, b: Path, by: str, strip: tuple[str, ...], allow_unmatched: bool, **options: Any) -> None:
    """Pair the pictures of two folders by name or by order. Folders train, val and test in both are kept.

    \b
    pix2pix data prepare pairs masks/ photos/ -o data/mine --strip _mask --labels A
    """
    from pix2pix.datasets.prepare import match

    matched = match.by_name(a, b, strip) if by == "name" else match.by_order(a, b)
    _run(matched, f"{a} and {b}", options, allow_unmatched)


@prepare.command()
@click.argument("a", type=FOLDER)
@click.argument("b", type=FOLDER)
@click.option("--block", type=click.IntRange(min=1), default=4, show_default=True, help="Side of a square.")
@UNMATCHED
@sharing(OUTPUT)
def tiles(a: Path, b: Path, block: int, allow_unmatched: bool, **options: Any) -> None:
    """Pair the map tiles z/x/y of two layers by their places; squares of tiles stay in one split.

    \b
    pix2pix data prepare tiles aerial/ streets/ -o data/city
    """
    from pix2pix.datasets.prepare import match

    matched = match.tiles(a, b, block)
    _run(matched, f"{a} and {b}", options, allow_unmatched)


@prepare.command()
@click.argument("path", type=FOLDER)
@UNMATCHED
@sharing(OUTPUT)
def split(path: Path, allow_unmatched: bool, **options: Any) -> None:
    """Split a folder of pairs anew, near duplicates together.

    \b
    pix2pix data prepare split my/pairs -o data/mine --val 0.1 --test 0.1
    """
    from pix2pix.datasets.prepare import match

    matched = match.existing(path)
    _run(matched, str(path), options, allow_unmatched)


@prepare.command()
@click.argument("pictures", type=FOLDER)
@sharing(DERIVING, OUTPUT)
def derive(pictures: Path, **options: Any) -> None:
    """Make the input A from each picture B: edges, greyscale, holes and more.

    \b
    pix2pix data prepare derive photos/ -o data/holes --operation inpaint --size 256
    """
    from pix2pix.datasets.prepare import match

    matched = match.singles(pictures)
    _run(matched, str(pictures), options)


@prepare.command()
@click.argument("films", nargs=-1, required=True, type=FOLDER, metavar="FILM...")
@click.option("--every", type=click.IntRange(min=1), default=1, show_default=True, help="One frame in so many.")
@sharing(DERIVING, OUTPUT)
def video(films: tuple[Path, ...], every: int, **options: Any) -> None:
    """Make pairs of the frames of films and what is derived from them; splits are blocks of time (extra `video`).

    \b
    pix2pix data prepare video street.mp4 -o data/street --operation edges --every 5
    """
    from pix2pix.datasets.prepare import video_frames

    shares = {"val": options["val"], "test": options["test"]}
    matched = video_frames.items(films, options["output"] / ".frames", every, shares)
    _run(matched, ", ".join(map(str, films)), options | {"films": films})


def _run(matched: Any, where: str, options: dict[str, Any], allow_unmatched: bool = False) -> None:
    from pix2pix.datasets.prepare.prepare import dry_run, job, prepare, require_matched

    require_matched(matched, where, allow_unmatched)
    act = dry_run if options.pop("dry_run") else prepare
    for line in act(job(matched, **options)):
        click.echo(line)
