"""Runs one preparation, from matched files to a folder of pairs for training."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from pix2pix.datasets.check.measure import read_all
from pix2pix.datasets.check.scan import survey
from pix2pix.datasets.check.suggest_command import command
from pix2pix.datasets.prepare import video_frames, write
from pix2pix.datasets.prepare.match import SPLITS, Matched
from pix2pix.datasets.prepare.recipe import Recipe
from pix2pix.datasets.prepare.split import split

NAMED = 20
SAMPLE = 50


def require_matched(matched: Matched, where: str, allow_unmatched: bool) -> None:
    """Refuses to leave out files in silence, and to make nothing of them all."""
    if matched.alone and not allow_unmatched:
        names = "\n  ".join(map(str, matched.alone[:NAMED]))
        more = f"\n  and {len(matched.alone) - NAMED} more" if len(matched.alone) > NAMED else ""
        raise ValueError(
            f"{where}: {len(matched.items)} pairs, but {len(matched.alone)} pictures have no partner. Rename them, "
            f"--strip what differs in their names, or leave them out with --allow-unmatched.\n  {names}{more}"
        )
    if not matched.items:
        raise ValueError(f"{where}: no pictures to make pairs from.")


class Job(NamedTuple):
    """A preparation: what to make pairs of, how, and where.

    Args:
        matched: the pairs, and what is left out.
        output: the new folder.
        recipe: how pixels are made.
        shares: of val and test, each of all pairs.
        films: whose frames are to be unpacked first.
        workers: threads; None for one on each core.
    """

    matched: Matched
    output: Path
    recipe: Recipe
    shares: dict[str, float]
    films: Sequence[Path] = ()
    workers: int | None = None


def job(
    matched: Matched, output: Path, *, size: str | None, labels: str | None, val: float, test: float, **rest: Any
) -> Job:
    """The job of a command's options. Raises ValueError for options that make no sense together."""
    films, workers = rest.pop("films", ()), rest.pop("workers", None)
    if val + test >= 1:
        raise ValueError(f"--val {val} and --test {test} leave nothing to train on. Lower them.")
    if rest.get("detector") and rest["operation"] != "edges":
        raise ValueError(f"--detector finds edges, but --operation is {rest['operation']}. Set --operation edges.")
    recipe = Recipe(size=parsed(size), labels=labels or "", **rest)
    return Job(matched, output, recipe, {"val": val, "test": test}, films, workers)


def prepare(job: Job) -> Iterator[str]:
    """Makes the pairs and tells what it did; the last line is the command that trains on them."""
    decisive = _decisive(job)
    there = write.begun(job.output, decisive)
    if there and there["finished"]:
        yield f"{job.output} is there already, complete."
    else:
        tasks, summary = _plan(job)
        write.begin(job.output, decisive)
        video_frames.unpack(job.films, job.matched.items)
        write.make(tasks, job.recipe, job.workers)
        shutil.rmtree(job.output / ".frames", ignore_errors=True)
        write.finish(job.output)
        yield f"{job.output}: {summary}"
    yield from _left_out(job)
    entries = survey(job.output).entries
    readings = read_all(entries[:: max(1, len(entries) // SAMPLE)], job.workers)
    yield f"train:  {command(job.output, readings, direction='AtoB' if job.recipe.operation else None)}"


def dry_run(job: Job) -> Iterator[str]:
    """Tells every file that `prepare` would write, and writes none."""
    write.begun(job.output, _decisive(job))
    tasks, summary = _plan(job)
    yield from write.described(tasks)
    yield f"{job.output}: {summary} would be written"
    yield from _left_out(job)


def _plan(job: Job) -> tuple[list[write.Task], str]:
    """What goes where, and the numbers in words. Frames of films have their splits by time; all else is read first."""
    if job.films:
        splits = [item.split or "train" for item in job.matched.items]
    else:
        readings = write.examine(job.matched.items, job.recipe, job.workers)
        splits = split(job.matched.items, readings, job.shares, job.recipe.seed)
    counts = ", ".join(f"{splits.count(name)} {name}" for name in SPLITS if name in splits)
    return write.plan(job.matched.items, splits, job.output, job.recipe), counts


def _left_out(job: Job) -> Iterator[str]:
    if job.matched.alone:
        yield f"left out, without a partner: {', '.join(map(str, job.matched.alone))}"


def _decisive(job: Job) -> dict[str, Any]:
    """All that decides what a prepared folder contains."""
    sources = list(job.films) or [file for item in job.matched.items for file in item.files]
    sources += [Path(job.recipe.detector)] if job.recipe.detector else []
    return {
        "recipe": asdict(job.recipe),
        "shares": job.shares,
        "pairs": write.digest([item.name for item in job.matched.items]),
        "sources": write.fingerprint(sources),
    }


def parsed(size: str | None) -> tuple[int, int] | None:
    """`256` or `512x256` as (width, height). Raises ValueError for anything else."""
    if size is None:
        return None
    parts = size.lower().split("x")
    if len(parts) > 2 or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise ValueError(f"--size {size}: not a size. Give pixels, as in 256 or 512x256 (width x height).")
    return int(parts[0]), int(parts[-1])
