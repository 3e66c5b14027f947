"""Runs one preparation, from matched files to a folder of pairs for training."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from pix2pix.datasets.check.measure import measure_pairs
from pix2pix.datasets.check.scan import scan_folder
from pix2pix.datasets.check.suggest_command import suggest_command
from pix2pix.datasets.prepare import video_frames, write
from pix2pix.datasets.prepare.match import SPLITS, Matches
from pix2pix.datasets.prepare.recipe import Recipe
from pix2pix.datasets.prepare.split import assign_splits

NAMED = 20
SAMPLE = 50


def require_matched(matched: Matches, where: str, allow_unmatched: bool) -> None:
    """Refuses to leave out files in silence, and to make nothing of them all."""
    if matched.unmatched and not allow_unmatched:
        names = "\n  ".join(map(str, matched.unmatched[:NAMED]))
        more = f"\n  and {len(matched.unmatched) - NAMED} more" if len(matched.unmatched) > NAMED else ""
        raise ValueError(
            f"{where}: {len(matched.pairs)} pairs, but {len(matched.unmatched)} pictures have no partner. Rename them, "
            f"--strip what differs in their names, or leave them out with --allow-unmatched.\n  {names}{more}"
        )
    if not matched.pairs:
        raise ValueError(f"{where}: no pictures to make pairs from.")


class Preparation(NamedTuple):
    """A preparation: what to make pairs of, how, and where.

    Args:
        matched: the pairs, and what is left out.
        output: the new folder.
        recipe: how pixels are made.
        shares: of val and test, each of all pairs.
        films: whose frames are to be unpacked first.
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
    """The job of a command's options. Raises ValueError for options that make no sense together."""
    films, workers = rest.pop("videos", ()), rest.pop("workers", None)
    if val + test >= 1:
        raise ValueError(f"--val {val} and --test {test} leave nothing to train on. Lower them.")
    if rest.get("detector") and rest["operation"] != "edges":
        raise ValueError(f"--detector finds edges, but --operation is {rest['operation']}. Set --operation edges.")
    recipe = Recipe(size=parse_size(size), labels=labels or "", **rest)
    return Preparation(matched, output, recipe, {"val": val, "test": test}, films, workers)


def prepare(job: Preparation) -> Iterator[str]:
    """Makes the pairs and tells what it did; the last line is the command that trains on them."""
    decisive = _inputs(job)
    there = write.read_progress(job.output, decisive)
    if there and there["finished"]:
        yield f"{job.output} is there already, complete."
    else:
        tasks, summary = _plan_tasks(job)
        write.mark_started(job.output, decisive)
        video_frames.extract_frames(job.videos, job.matches.pairs)
        write.write_pairs(tasks, job.recipe, job.workers)
        shutil.rmtree(job.output / ".frames", ignore_errors=True)
        write.mark_finished(job.output)
        yield f"{job.output}: {summary}"
    yield from _describe_unmatched(job)
    entries = scan_folder(job.output).pairs
    readings = measure_pairs(entries[:: max(1, len(entries) // SAMPLE)], job.workers)
    yield f"train:  {suggest_command(job.output, readings, direction='AtoB' if job.recipe.operation else None)}"


def dry_run(job: Preparation) -> Iterator[str]:
    """Tells every file that `prepare` would write, and writes none."""
    write.read_progress(job.output, _inputs(job))
    tasks, summary = _plan_tasks(job)
    yield from write.describe_tasks(tasks)
    yield f"{job.output}: {summary} would be written"
    yield from _describe_unmatched(job)


def _plan_tasks(job: Preparation) -> tuple[list[write.Task], str]:
    """What goes where, and the numbers in words. Frames of films have their splits by time; all else is read first."""
    if job.videos:
        splits = [item.split or "train" for item in job.matches.pairs]
    else:
        readings = write.measure_sources(job.matches.pairs, job.recipe, job.workers)
        splits = assign_splits(job.matches.pairs, readings, job.shares, job.recipe.seed)
    counts = ", ".join(f"{splits.count(name)} {name}" for name in SPLITS if name in splits)
    return write.plan_outputs(job.matches.pairs, splits, job.output, job.recipe), counts


def _describe_unmatched(job: Preparation) -> Iterator[str]:
    if job.matches.unmatched:
        yield f"left out, without a partner: {', '.join(map(str, job.matches.unmatched))}"


def _inputs(job: Preparation) -> dict[str, Any]:
    """All that decides what a prepared folder contains."""
    sources = list(job.videos) or [file for item in job.matches.pairs for file in item.files]
    sources += [Path(job.recipe.detector)] if job.recipe.detector else []
    return {
        "recipe": asdict(job.recipe),
        "shares": job.shares,
        "pairs": write.hash_lines([item.name for item in job.matches.pairs]),
        "sources": write.fingerprint(sources),
    }


def parse_size(size: str | None) -> tuple[int, int] | None:
    """`256` or `512x256` as (width, height). Raises ValueError for anything else."""
    if size is None:
        return None
    parts = size.lower().split("x")
    if len(parts) > 2 or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise ValueError(f"--size {size}: not a size. Give pixels, as in 256 or 512x256 (width x height).")
    return int(parts[0]), int(parts[-1])
