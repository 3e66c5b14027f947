"""Runs one preparation, from matched files to a folder of pairs for training."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from pix2pix.core.plurals import pluralize
from pix2pix.data.direction import Direction
from pix2pix.data.images.resize import Size, flip_size
from pix2pix.datasets.check.measure import measure_pairs
from pix2pix.datasets.check.scan import scan_folder
from pix2pix.datasets.check.suggest_command import suggest_command
from pix2pix.datasets.prepare import video_frames, write
from pix2pix.datasets.prepare.match import SPLITS, Matches
from pix2pix.datasets.prepare.recipe import Recipe
from pix2pix.datasets.prepare.split import assign_splits

MAX_NAMES = 20  # of pictures without a partner, in the error
SAMPLE = 50  # prepared pairs that are measured to suggest the command


def require_matched(matched: Matches, where: str, allow_unmatched: bool) -> None:
    """Raises ValueError when pictures have no partner, unless that is allowed, and when there are no pairs."""
    if matched.unmatched and not allow_unmatched:
        names = "\n  ".join(map(str, matched.unmatched[:MAX_NAMES]))
        more = f"\n  and {len(matched.unmatched) - MAX_NAMES} more" if len(matched.unmatched) > MAX_NAMES else ""
        pairs = pluralize(len(matched.pairs), "pair", "pairs")
        raise ValueError(
            f"{where}: {pairs}, but {pluralize(len(matched.unmatched), 'picture has', 'pictures have')} no partner. "
            "Rename them, --strip what differs in their names, or leave them out with --allow-unmatched.\n"
            f"  {names}{more}"
        )
    if not matched.pairs:
        raise ValueError(f"{where}: no pictures to make pairs from.")
    twos = [item.files for item in matched.pairs if len(item.files) == 2]
    own = [a for a, b in twos if a.resolve() == b.resolve()]
    if own:
        pictures = pluralize(len(own), "picture is its own partner", "pictures are their own partners")
        raise ValueError(f"{where}: {pictures}, among them {own[0]}. Name two folders.")


class Preparation(NamedTuple):
    """A preparation: which pairs to make, how and where.

    Args:
        matches: the pairs, and the files without a partner.
        output: the new folder.
        recipe: how the pixels are made.
        shares: the shares of val and test, as parts of all pairs.
        videos: files whose frames are extracted first.
        workers: threads; None for one on each core.
    """

    matches: Matches
    output: Path
    recipe: Recipe
    shares: dict[str, float]
    videos: Sequence[Path] = ()
    workers: int | None = None


def make_preparation(
    matched: Matches, output: Path, *, size: str | None, labels: str | None, val: float, test: float, **rest: Any
) -> Preparation:
    """Makes a preparation of a command's options. Raises ValueError for options that contradict each other."""
    videos, workers = rest.pop("videos", ()), rest.pop("workers", None)
    if val + test >= 1:
        raise ValueError(f"--val {val} and --test {test} leave nothing to train on. Lower them.")
    if rest.get("detector") and rest["operation"] != "edges":
        raise ValueError(f"--detector finds edges, but --operation is {rest['operation']}. Set --operation edges.")
    recipe = Recipe(size=parse_size(size), label_maps=labels or "", **rest)
    return Preparation(matched, output, recipe, {"val": val, "test": test}, videos, workers)


def prepare(preparation: Preparation) -> Iterator[str]:
    """Makes the pairs and yields the lines of the report; the last one is the command that trains on them."""
    inputs = _inputs(preparation)
    progress = write.read_progress(preparation.output, inputs)
    if progress and progress["finished"]:
        yield f"{preparation.output} is there already, complete."
    else:
        tasks, summary = _plan_tasks(preparation)
        write.mark_started(preparation.output, inputs)
        video_frames.extract_frames(preparation.videos, preparation.matches.pairs)
        write.write_pairs(tasks, preparation.recipe, preparation.workers)
        shutil.rmtree(preparation.output / ".frames", ignore_errors=True)
        write.mark_finished(preparation.output)
        yield f"{preparation.output}: {summary}"
    yield from _describe_unmatched(preparation)
    direction = "AtoB" if preparation.recipe.operation or preparation.videos else None
    yield suggest_training(preparation.output, direction, preparation.workers)


def suggest_training(output: Path, direction: Direction | None, workers: int | None = None) -> str:
    """The last line of a report: the command that trains on the prepared pairs."""
    scan = scan_folder(output)
    readings = measure_pairs(scan.pairs[:: max(1, len(scan.pairs) // SAMPLE)], workers)
    return f"train:  {suggest_command(scan, readings, direction=direction)}"


def dry_run(preparation: Preparation) -> Iterator[str]:
    """Yields a line for each file that `prepare` would write, and writes none."""
    write.read_progress(preparation.output, _inputs(preparation))
    tasks, summary = _plan_tasks(preparation)
    yield from write.describe_tasks(tasks)
    yield f"{preparation.output}: {summary} would be written"
    yield from _describe_unmatched(preparation)


def _plan_tasks(preparation: Preparation) -> tuple[list[write.Task], str]:
    """Returns the tasks, and the number of pairs in each split as text. Frames are split by time, others by content."""
    if preparation.videos:
        copied: set[Path] = set()
        splits = [item.split or "train" for item in preparation.matches.pairs]
    else:
        readings = write.measure_sources(preparation.matches.pairs, preparation.recipe, preparation.workers)
        copied = write.find_files_to_copy(readings, preparation.recipe)
        splits = assign_splits(preparation.matches.pairs, readings, preparation.shares, preparation.recipe.seed)
    counts = ", ".join(f"{splits.count(name)} {name}" for name in SPLITS if name in splits)
    pairs, output = preparation.matches.pairs, preparation.output
    return write.plan_outputs(pairs, splits, output, preparation.recipe, copied), counts


def _describe_unmatched(preparation: Preparation) -> Iterator[str]:
    if preparation.matches.unmatched:
        yield f"left out, without a partner: {', '.join(map(str, preparation.matches.unmatched))}"


def _inputs(preparation: Preparation) -> dict[str, Any]:
    """Everything on which the contents of the prepared folder depend."""
    sources = list(preparation.videos) or [file for item in preparation.matches.pairs for file in item.files]
    sources += [Path(preparation.recipe.detector)] if preparation.recipe.detector else []
    return {
        "recipe": _describe_recipe(preparation.recipe),
        "shares": preparation.shares,
        "pairs": write.hash_lines(_describe_pairs(preparation)),
        "sources": write.fingerprint(sources),
    }


def _describe_recipe(recipe: Recipe) -> dict[str, Any]:
    """The settings of a recipe as the records of earlier versions have them: width before height, `labels`."""
    settings = asdict(recipe)
    label_maps = settings.pop("label_maps")
    return settings | {"size": recipe.size and flip_size(recipe.size), "labels": label_maps}


def _describe_pairs(preparation: Preparation) -> list[str]:
    """A line for each pair: its name, and with two videos the frame that is its partner, which an offset changes."""
    pairs = preparation.matches.pairs
    partners = [[file.name for file in item.files[1:]] if preparation.videos else [] for item in pairs]
    return [" ".join([item.name, *names]) for item, names in zip(pairs, partners, strict=True)]


def parse_size(size: str | None) -> Size | None:
    """Parses `256` or `512x256`, width x height, as (height, width). Raises ValueError for anything else."""
    if size is None:
        return None
    parts = size.lower().split("x")
    if len(parts) > 2 or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise ValueError(f"--size {size}: not a size. Give pixels, as in 256 or 512x256 (width x height).")
    return int(parts[-1]), int(parts[0])
