"""Lists the input files of a command line and the output file of each."""

import glob
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from natsort import natsorted

from pix2pix.data.images.decode import SUFFIXES

VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")


@dataclass(frozen=True)
class TranslationJob:
    """A file and where its translations go: one, or one for each sample."""

    file: Path
    results: tuple[Path, ...]

    @property
    def is_video(self) -> bool:
        """Whether it is a film rather than a picture."""
        return self.file.suffix.lower() in VIDEOS

    @property
    def is_done(self) -> bool:
        """Whether all its results are there; each is written whole or not at all."""
        return all(result.exists() for result in self.results)


def list_jobs(
    inputs: Sequence[str | Path], output: Path, suffix: str, samples: int | None = None
) -> list[TranslationJob]:
    """What `inputs`, files, folders and patterns, ask for, and the files in `output` that it becomes.

    Raises:
        FileNotFoundError: when an input is not there or holds no pictures.
        ValueError: when two inputs would be written to one file, or an output would replace its input.
    """
    files = dict(_list_inputs(inputs, output))
    jobs = [
        TranslationJob(file, tuple(_result_files(output / place, suffix, samples))) for file, place in files.items()
    ]
    taken: dict[Path, Path] = {}
    for file, result in [(job.file, result) for job in jobs for result in job.results]:
        if result in taken:
            raise ValueError(
                f"{taken[result]} and {file} would both be written to {result}. Translate them into two folders."
            )
        if result.exists() and file.samefile(result):
            raise ValueError(f"{result}: the output would replace its input. Choose another --output.")
        taken[result] = file
    return jobs


def _list_inputs(inputs: Iterable[str | Path], output: Path) -> Iterator[tuple[Path, Path]]:
    """Every file, with where it goes below the output folder."""
    for given in inputs:
        path = Path(given)
        if path.is_dir():
            yield from _list_folder(path, path, path.rglob("*"), output)
        elif path.exists():
            yield path, Path(path.name)
        elif glob.has_magic(str(given)):
            fixed = list(itertools.takewhile(lambda part: not glob.has_magic(part), path.parts))
            root = Path(*fixed)
            yield from _list_folder(path, root, root.glob(str(Path(*path.parts[len(fixed) :]))), output)
        else:
            raise FileNotFoundError(f"{path}: no such file or folder.")


def _list_folder(named: Path, root: Path, files: Iterable[Path], output: Path) -> Iterator[tuple[Path, Path]]:
    """The pictures and videos among the files, in natural order; not what lies hidden, nor in the output folder."""
    known, results = (*SUFFIXES, *VIDEOS), output.resolve()
    inside = root.resolve() != results and results.is_relative_to(root.resolve())
    found = [
        (file, file.relative_to(root))
        for file in files
        if file.suffix.lower() in known and not (inside and file.resolve().is_relative_to(results))
    ]
    found = [(file, place) for file, place in found if not any(part.startswith(".") for part in place.parts)]
    if not found:
        raise FileNotFoundError(f"{named}: no pictures in this folder.")
    yield from natsorted(found, key=lambda both: str(both[1]))


def _result_files(place: Path, suffix: str, samples: int | None) -> Iterator[Path]:
    if place.suffix.lower() in VIDEOS:
        yield place.with_suffix({".avi": ".mkv"}.get(place.suffix.lower(), place.suffix.lower()))
    elif samples is None:
        yield place.with_name(f"{place.stem}.{suffix}")
    else:
        yield from (place.with_name(f"{place.stem}_{number + 1}.{suffix}") for number in range(samples))
