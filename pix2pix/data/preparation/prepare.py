"""One preparation from matched files to a folder that trains."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pix2pix.data.doctor.advice import command
from pix2pix.data.doctor.reading import read_all
from pix2pix.data.doctor.survey import survey
from pix2pix.data.preparation import film, making
from pix2pix.data.preparation.recipe import Recipe
from pix2pix.data.preparation.sources import Matched
from pix2pix.data.preparation.splitting import split

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
        raise ValueError(f"{where}: there is nothing to make pairs of.")


def prepare(
    matched: Matched,
    *,
    output: Path,
    size: str | None,
    val: float,
    test: float,
    workers: int | None,
    dry_run: bool,
    films: Sequence[Path] = (),
    labels: str | None = None,
    **settings: Any,
) -> Iterator[str]:
    """Makes the pairs and tells what it did; the last line is the command that trains on them.

    Args:
        matched: what to make pairs of, and what is left out.
        output: the new folder.
        size: N or WxH; None leaves sizes.
        val: share of validation, likewise `test`.
        test: see above.
        workers: threads; None for one on each core.
        dry_run: tells what would be written, and writes nothing.
        films: whose frames are to be unpacked first.
        labels: as in Recipe, likewise the other `settings`.
    """
    if val + test >= 1:
        raise ValueError(f"--val {val} and --test {test} leave nothing to train on. Lower them.")
    recipe = Recipe(size=parsed(size), labels=labels or "", **settings)
    shares = {"val": val, "test": test}
    decisive = _decisive(matched, recipe, shares, films)
    there = making.begun(output, decisive)
    if there and there["finished"]:
        yield f"{output} is there already, complete."
        yield _train(output, recipe, workers)
        return
    splits = _splits(matched, recipe, shares, workers, unread=bool(films))
    tasks = making.plan(matched.items, splits, output, recipe)
    if dry_run:
        yield from making.described(tasks)
    else:
        making.begin(output, decisive)
        film.unpack(films, matched.items)
        making.make(tasks, recipe, workers)
        shutil.rmtree(output / ".frames", ignore_errors=True)
        making.finish(output)
    counts = ", ".join(f"{splits.count(name)} {name}" for name in ("train", "val", "test") if name in splits)
    yield f"{output}: {counts}{' would be written' if dry_run else ''}"
    if matched.alone:
        yield f"left out, without a partner: {', '.join(map(str, matched.alone))}"
    if not dry_run:
        yield _train(output, recipe, workers)


def _decisive(matched: Matched, recipe: Recipe, shares: dict[str, float], films: Sequence[Path]) -> dict[str, Any]:
    """All that decides what a prepared folder contains."""
    sources = list(films) or [file for item in matched.items for file in item.files]
    sources += [Path(recipe.detector)] if recipe.detector else []
    names = making.digest([item.name for item in matched.items])
    return {"recipe": asdict(recipe), "shares": shares, "pairs": names, "sources": making.fingerprint(sources)}


def _splits(matched: Matched, recipe: Recipe, shares: dict[str, float], workers: int | None, unread: bool) -> list[str]:
    """The split of each pair. Frames of films have theirs by their time, and need not be read for it."""
    if unread:
        return [item.split or "train" for item in matched.items]
    return split(matched.items, making.examine(matched.items, recipe, workers), shares, recipe.seed)


def _train(output: Path, recipe: Recipe, workers: int | None) -> str:
    entries = survey(output).entries
    readings = read_all(entries[:: max(1, len(entries) // SAMPLE)], workers)
    return f"train:  {command(output, readings, direction='AtoB' if recipe.operation else None)}"


def parsed(size: str | None) -> tuple[int, int] | None:
    """`256` or `512x256` as (width, height). Raises ValueError for anything else."""
    if size is None:
        return None
    parts = size.lower().split("x")
    if len(parts) > 2 or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise ValueError(f"--size {size}: not a size. Give pixels, as in 256 or 512x256 (width x height).")
    return int(parts[0]), int(parts[-1])
