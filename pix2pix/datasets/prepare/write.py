"""Writes the pairs of a plan in parallel. An interrupted preparation resumes, with the same result."""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from pix2pix.core.atomic_files import atomic_file, write_text_atomic
from pix2pix.core.prefetch import map_in_threads
from pix2pix.core.progress_bars import tqdm
from pix2pix.data.direction import Letter
from pix2pix.data.images.pictures import save_picture
from pix2pix.datasets.check.measure import PairStats, measure_pairs
from pix2pix.datasets.check.scan import ScannedPair
from pix2pix.datasets.prepare.match import PairSpec
from pix2pix.datasets.prepare.recipe import Recipe, concat_halves

MAX_ASPECT_DIFFERENCE = 0.02
SAVE_OPTIONS = {".png": {}, ".jpg": {"quality": 95, "subsampling": 0}}


class Task(NamedTuple):
    """A pair and its output files: one, or one for A and one for B.

    Args:
        pair: the pair.
        outputs: the files to write.
        is_copied: for each of them whether it is a copy of the source file.
    """

    pair: PairSpec
    outputs: tuple[Path, ...]
    is_copied: tuple[bool, ...]


def plan_outputs(
    items: Sequence[PairSpec], splits: Sequence[str], output: Path, recipe: Recipe, copied: set[Path]
) -> list[Task]:
    """Plans the output files, in folders that `data=folder` reads. Raises ValueError for two pairs of one name."""
    tasks = []
    for item, split in zip(items, splits, strict=True):
        folders = [f"{split}A", f"{split}B"] if recipe.layout == "folders" else [split]
        files = item.files if len(item.files) == len(folders) else item.files[:1] * len(folders)
        suffixes = [file.suffix if file in copied else f".{recipe.suffix}" for file in files]
        outputs = tuple(output / folder / f"{item.name}{end}" for folder, end in zip(folders, suffixes, strict=True))
        tasks.append(Task(item, outputs, tuple(file in copied for file in files)))
    times = Counter(str(task.outputs[0].with_suffix("")).lower() for task in tasks)  # on some disks, X and x are one
    several = [task for task in tasks if times[str(task.outputs[0].with_suffix("")).lower()] > 1]
    if several:
        files = ", ".join(str(task.pair.files[0]) for task in several[:5])
        raise ValueError(f"{files}: folders become part of the names, and these get the same name. Rename them.")
    return tasks


def measure_sources(items: Sequence[PairSpec], recipe: Recipe, workers: int | None) -> list[PairStats]:
    """Measures every file before anything is written. Raises ValueError with all that cannot be used."""
    entries = [ScannedPair("train", item.name, item.files * (2 if recipe.operation else 1)) for item in items]
    readings = measure_pairs(entries, workers)
    faults = [fault for reading in readings for fault in _find_faults(reading, recipe)]
    if faults:
        listed = "\n  ".join(dict.fromkeys(faults))
        raise ValueError(f"some files cannot be used; nothing was written. Correct or remove them:\n  {listed}")
    return readings


def _find_faults(reading: PairStats, recipe: Recipe) -> Iterator[str]:
    """Yields a sentence for each reason why a pair cannot be made."""
    first = reading.entry.files[0]
    yield from (f"{file}: cannot be read ({reason})" for file, reason in reading.unreadable.items())
    if reading.has_odd_width:
        yield f"{first}: of odd width, not two halves"
    for file, info in reading.file_infos.items():
        if not recipe.can_hold(info) and not can_copy(reading, recipe):
            yield f"{file}: {_describe_refusal(recipe)}"
    if reading.sides:
        a, b = (side.size for side in reading.sides)
        if recipe.size is None and recipe.layout == "side-by-side" and a != b:
            yield f"{first}: A is {_format_size(a)} and B {_format_size(b)}, side by side they must match; set --size"
        elif recipe.size and recipe.fit != "stretch" and abs(a[0] * b[1] / (a[1] * b[0]) - 1) > MAX_ASPECT_DIFFERENCE:
            yield f"{first}: A is {_format_size(a)} and B {_format_size(b)}, of other proportions; set --fit stretch"


def can_copy(reading: PairStats, recipe: Recipe) -> bool:
    """Whether each output of a pair is one of its files, unchanged."""
    outputs = 2 if recipe.layout == "folders" else 1
    return recipe.size is None and recipe.operation is None and len(reading.entry.files) == outputs


def find_files_to_copy(readings: Sequence[PairStats], recipe: Recipe) -> set[Path]:
    """The files to copy, because the format of the output cannot hold their pixels."""
    infos = [each for reading in readings if can_copy(reading, recipe) for each in reading.file_infos.items()]
    return {file for file, info in infos if not recipe.can_hold(info)}


def _describe_refusal(recipe: Recipe) -> str:
    what = "more than 8 bits, transparent, or of other channels than grey and RGB"
    if recipe.operation:
        return f"{what}; convert it to 8-bit RGB"
    if recipe.size:
        return f"{what}; leave --size out to copy it with --layout folders: training resizes"
    return f"{what}; --layout folders keeps that"


def _format_size(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"


def read_progress(output: Path, inputs: dict[str, Any]) -> dict[str, Any] | None:
    """Reads the record of an earlier preparation in this folder; None if the folder is empty or missing.

    Args:
        output: the folder.
        inputs: everything on which its contents depend.

    Raises:
        ValueError: when the folder contains something else, or was prepared with other settings or from other files.
    """
    note = _progress_file(output)
    if not note.exists():
        if output.is_dir() and any(output.iterdir()):
            raise ValueError(f"{output} is not empty and was not prepared by this command. Choose another --output.")
        return None
    record = json.loads(note.read_text(encoding="utf-8"))
    # Through JSON and back, because the record has lists where Python has tuples.
    if {key: record.get(key) for key in inputs} != json.loads(json.dumps(inputs)):
        raise ValueError(f"{output} was prepared in another way or from other files. Choose another --output.")
    return record


def mark_started(output: Path, inputs: dict[str, Any]) -> None:
    """Records the preparation in the folder, before anything else is written there."""
    write_text_atomic(_progress_file(output), json.dumps(inputs | {"finished": False}, indent=2) + "\n")


def mark_finished(output: Path) -> None:
    """Marks a prepared folder as complete."""
    note = _progress_file(output)
    write_text_atomic(
        note, json.dumps(json.loads(note.read_text(encoding="utf-8")) | {"finished": True}, indent=2) + "\n"
    )


def write_pairs(tasks: Sequence[Task], recipe: Recipe, workers: int | None) -> None:
    """Writes the missing files of all pairs, each whole or not at all."""
    missing = [task for task in tasks if not all(file.exists() for file in task.outputs)]
    bar = tqdm(total=len(tasks), initial=len(tasks) - len(missing), unit="pair", desc="preparing", disable=None)
    with bar:
        for _ in map_in_threads(lambda task: _write_pair(task, recipe), missing, threads=workers):
            bar.update()


def _write_pair(task: Task, recipe: Recipe) -> None:
    if any(task.is_copied):
        for source, file, is_copied in zip(task.pair.files, task.outputs, task.is_copied, strict=True):
            _copy(source, file) if is_copied else _save(recipe.make_image(source, _letter(task, file)), file)
        return
    a, b = recipe.make_pair(task.pair.name, task.pair.files)
    images = (a, b) if len(task.outputs) == 2 else (concat_halves(a, b),)
    for image, file in zip(images, task.outputs, strict=True):
        _save(image, file)


def _letter(task: Task, file: Path) -> Letter:
    return "A" if file == task.outputs[0] else "B"


def _save(image: Image.Image, file: Path) -> None:
    save_picture(image, file, **SAVE_OPTIONS[file.suffix])


def _copy(source: Path, file: Path) -> None:
    with atomic_file(file) as part:
        shutil.copyfile(source, part)


def fingerprint(files: Sequence[Path]) -> str:
    """A hash of the paths, sizes and dates of files."""
    return hash_lines([f"{file.resolve()} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in sorted(files)])


def hash_lines(lines: Sequence[str]) -> str:
    """The SHA-256 of lines of text."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def describe_tasks(tasks: Sequence[Task]) -> Iterator[str]:
    """Yields a line for each pair: its output files and its source files."""
    for task in tasks:
        origin = " + ".join(map(str, task.pair.files))
        yield f"{' + '.join(map(str, task.outputs))} <- {origin}"


def _progress_file(output: Path) -> Path:
    return output / "prepared.json"
