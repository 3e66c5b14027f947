"""Writes files and folders atomically: under a temporary name first, then renamed."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


def temporary_path(path: Path) -> Path:
    """Where `path` is made: beside it, under a hidden name. What a killed process leaves there is nobody's."""
    return path.with_name(f".{path.name}.part")


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A file to write beside `path`, which takes its place when the block ends well and vanishes when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = temporary_path(path)
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def atomic_dir(path: Path) -> Iterator[Path]:
    """The same for a folder, which the block makes; the folder of before is removed once the new one is complete."""
    part = temporary_path(path)
    shutil.rmtree(part, ignore_errors=True)
    try:
        yield part
        shutil.rmtree(path, ignore_errors=True)
        part.replace(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_text_atomic(path: Path, text: str) -> None:
    """Writes a file whole or not at all: a reader never meets half of it, nor does a killed process leave half.

    It is UTF-8 whatever the locale; bytes of file names that are not UTF-8 are written as they are.
    """
    with atomic_file(path) as part, part.open("w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
        flush_to_disk(file)


def flush_to_disk(file: IO[Any]) -> None:
    """Brings what was written to the disk itself, so that no power cut leaves a name in place without its content."""
    file.flush()
    os.fsync(file.fileno())
