"""`pix2pix data prepare ...`: the commands that make a folder of pairs."""

from pathlib import Path
from typing import Any

import click

from pix2pix.cli.options import add_options
from pix2pix.cli.prepare_options import (
    DERIVING,
    FOLDER,
    FOLDER_OF_PAIRS,
    OUTPUT,
    SPLIT,
    UNMATCHED,
    operation_option,
)


@click.group()
def prepare() -> None:
    """Make a folder of pairs for `pix2pix train data=folder`. If interrupted, run the same command again to continue.

    \b
    pix2pix data prepare pairs labels/ photos/ -o data/mine --size 256
    pix2pix data prepare derive photos/ -o data/edges --operation edges
    """


@prepare.command()
@click.argument("a", type=FOLDER)
@click.argument("b", type=FOLDER)
@click.option(
    "--by",
    type=click.Choice(["name", "order"]),
    default="name",
    show_default=True,
    help="Pair files of the same name, or the first with the first, the second with the second, and so on.",
)
@click.option("--strip", multiple=True, metavar="TEXT", help="Part of names to ignore, such as _mask. Repeatable.")
@UNMATCHED
@add_options(OUTPUT)
def pairs(a: Path, b: Path, by: str, strip: tuple[str, ...], allow_unmatched: bool, **options: Any) -> None:
    """Pair the pictures of folders A and B by name or by order. Subfolders train, val and test are kept as splits.

    \b
    pix2pix data prepare pairs masks/ photos/ -o data/mine --strip _mask --labels A
    """
    from pix2pix.datasets.prepare import match

    matched = match.match_by_name(a, b, strip) if by == "name" else match.match_by_order(a, b)
    _run(matched, f"{a} and {b}", options, allow_unmatched)


@prepare.command()
@click.argument("a", type=FOLDER)
@click.argument("b", type=FOLDER)
@click.option("--block", type=click.IntRange(min=1), default=4, show_default=True, help="Side of a square, in tiles.")
@UNMATCHED
@add_options(OUTPUT)
def tiles(a: Path, b: Path, block: int, allow_unmatched: bool, **options: Any) -> None:
    """Pair the map tiles (z/x/y) of layers A and B by position. Each square of tiles stays in one split.

    \b
    pix2pix data prepare tiles aerial/ streets/ -o data/city
    """
    from pix2pix.datasets.prepare import match

    matched = match.match_tiles(a, b, block)
    _run(matched, f"{a} and {b}", options, allow_unmatched)


@prepare.command()
@click.argument("path", type=FOLDER)
@UNMATCHED
@add_options(OUTPUT)
def split(path: Path, allow_unmatched: bool, **options: Any) -> None:
    """Split a folder of pairs anew. Near duplicates stay in one split. By default the layout is kept.

    \b
    pix2pix data prepare split my/pairs -o data/mine --val 0.1 --test 0.1
    """
    from pix2pix.datasets.prepare import match

    matched = match.list_existing_pairs(path)
    _run(matched, str(path), {**options, "layout": options["layout"] or match.choose_layout(matched)}, allow_unmatched)


@prepare.command()
@click.argument("pictures", type=FOLDER)
@add_options([operation_option(is_required=True)], DERIVING, OUTPUT)
def derive(pictures: Path, **options: Any) -> None:
    """Make the input A from each picture B: edges, greyscale, holes and more.

    \b
    pix2pix data prepare derive photos/ -o data/holes --operation inpaint --size 256
    """
    from pix2pix.datasets.prepare import match

    matched = match.list_singles(pictures)
    _run(matched, str(pictures), options)


@prepare.command()
@click.argument("videos", nargs=-1, required=True, type=FOLDER, metavar="VIDEO...")
@click.option("--every", type=click.IntRange(min=1), default=1, show_default=True, help="Take every Nth frame.")
@click.option(
    "--offset",
    type=float,
    metavar="SECONDS",
    help="For two videos: take the frames of the second this much later. Negative: earlier. Default: found from both.",
)
@add_options([operation_option(is_required=False)], DERIVING, OUTPUT)
def video(videos: tuple[Path, ...], every: int, offset: float | None, **options: Any) -> None:
    """Make pairs from the frames of videos.

    Two videos without --operation are A and B: each frame of the first is paired with the frame of the second that is
    shown at the same time, whatever their rates. By how much one is later is found from their sound or motion. With
    --operation each frame is B, and A is made from it. Each split is a block of time, so that neighbouring frames do
    not fall into different splits. Needs pix2pix[video].

    \b
    pix2pix data prepare video me.mp4 ray.mp4 -o data/ray --size 256
    pix2pix data prepare video street.mp4 -o data/street --operation edges --every 5
    """
    from pix2pix.datasets.prepare import video_frames

    shares, frames = {"val": options["val"], "test": options["test"]}, options["output"] / ".frames"
    if options["operation"] is not None:
        matched = video_frames.list_frames(videos, frames, every, shares)
    else:
        a, b = _require_two_videos(videos, options["size"])
        matched, found = video_frames.list_frame_pairs(a, b, frames, every, shares, offset)
        click.echo(found)
    _run(matched, ", ".join(map(str, videos)), options | {"videos": videos})


@prepare.command()
@click.argument("a", type=FOLDER)
@click.argument("b", type=FOLDER)
@click.option(
    "--plane",
    type=click.Choice(["axial", "coronal", "sagittal"]),
    default="axial",
    show_default=True,
    help="How to cut the volumes, which are turned to the patient's axes first.",
)
@UNMATCHED
@add_options([FOLDER_OF_PAIRS], SPLIT)
def slices(
    a: Path, b: Path, plane: Any, allow_unmatched: bool, output: Path, val: float, test: float, seed: int
) -> None:
    """Pair the slices of the NIfTI volumes in folders A and B. All slices of a volume stay in one split.

    Values are kept, as `.npy` files. Volumes of a pair must lie on one grid. Needs pix2pix[medical].

    \b
    pix2pix data prepare slices t1/ t2/ -o data/t1_to_t2 --val 0.1 --test 0.1
    """
    from pix2pix.datasets.prepare import match
    from pix2pix.datasets.prepare.prepare import require_matched
    from pix2pix.datasets.prepare.volumes import Slicing, slice_volumes

    matched = match.match_by_name(a, b)
    require_matched(matched, f"{a} and {b}", allow_unmatched)
    for line in slice_volumes(Slicing(matched.pairs, output, plane, {"val": val, "test": test}, seed)):
        click.echo(line)


def _require_two_videos(videos: tuple[Path, ...], size: str | None) -> tuple[Path, Path]:
    """Returns the two videos. Raises ValueError unless they can be paired frame by frame."""
    from pix2pix.datasets.prepare.video_frames import read_frame_size

    if len(videos) != 2:
        raise ValueError(
            f"{len(videos)} videos without --operation. Give two, A and B, or an --operation that makes A from frames."
        )
    sizes = [read_frame_size(video) for video in videos]
    if size is None and sizes[0] != sizes[1]:
        (h, w), (height, width) = sizes
        raise ValueError(f"the videos have {w}x{h} and {width}x{height} pixels. Set --size, such as --size 256.")
    return videos[0], videos[1]


def _run(matched: Any, where: str, options: dict[str, Any], allow_unmatched: bool = False) -> None:
    from pix2pix.datasets.prepare.prepare import dry_run, make_preparation, prepare, require_matched

    require_matched(matched, where, allow_unmatched)
    options["layout"] = options["layout"] or "side-by-side"
    act = dry_run if options.pop("dry_run") else prepare
    for line in act(make_preparation(matched, **options)):
        click.echo(line)
