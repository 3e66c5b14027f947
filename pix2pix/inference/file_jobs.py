"""Lists the input files of a command line and the output file of each."""

import glob
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from natsort import natsorted

from pix2pix.data.images.decode import SUFFIXES
from pix2pix.data.images.picture_files import drop_suffix
from pix2pix.data.settings import DataSettings
from pix2pix.data.sources.evaluation_folder import EvaluationFolder
from pix2pix.data.sources.pair_list import is_table
from pix2pix.data.sources.picture_folders import is_hidden, walk_pictures

VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")
KNOWN = (*SUFFIXES, *VIDEOS)


@dataclass(frozen=True)
class TranslationJob:
    """An input file and its output files: one, or one for each sample.

    `others` are the further files of a run with several inputs.
    """

    file: Path
    results: tuple[Path, ...]
    others: tuple[Path, ...] = ()

    @property
    def is_video(self) -> bool:
        """Whether the input is a video."""
        return self.file.suffix.lower() in VIDEOS

    @property
    def is_done(self) -> bool:
        """Whether all output files exist; each is written atomically."""
        return all(result.exists() for result in self.results)


def list_jobs(
    inputs: Sequence[str | Path],
    output: Path,
    suffix: str,
    samples: int | None = None,
    data: DataSettings | None = None,
) -> list[TranslationJob]:
    """Lists the files, folders and patterns of `inputs`, with their output files in the folder `output`.

    With `data`, the settings of the run, an input may also be a table of pairs: its inputs without targets are listed.

    Raises:
        FileNotFoundError: when an input does not exist or holds no pictures.
        ValueError: when two inputs have the same output file, an output would replace its input, or a table has a fault
            or no inputs without targets.
    """
    tables = [path for path in map(Path, inputs) if data is not None and is_table(path)]
    places = list_files([path for path in inputs if Path(path) not in tables], output)
    others: dict[Path, tuple[Path, ...]] = {}
    for table in tables:
        assert data is not None
        for place, (file, *rest) in _list_table(table, data):
            places[file], others[file] = place, tuple(rest)
    return make_jobs(places, output, suffix, samples, others)


def _list_table(table: Path, data: DataSettings) -> Iterator[tuple[Path, tuple[Path, ...]]]:
    """The files of each input without a target, with their path in the output: relative to the table, or the name."""
    inputs = EvaluationFolder(table, data).input_files
    if inputs is None:
        raise ValueError(
            f"{table}: has no row of the split test without a target. These are translated; the pairs are measured by "
            "pix2pix evaluate --data."
        )
    for files in inputs:
        place = Path(os.path.relpath(files[0], table.parent))
        yield Path(place.name) if place.parts[0] == ".." else place, files


def list_files(inputs: Iterable[str | Path], output: Path) -> dict[Path, Path]:
    """Every input file with its path relative to the output folder. Raises FileNotFoundError as `list_jobs`."""
    return dict(_list_inputs(inputs, output))


def make_jobs(
    files: Mapping[Path, Path],
    output: Path,
    suffix: str,
    samples: int | None,
    others: Mapping[Path, tuple[Path, ...]] | None = None,
) -> list[TranslationJob]:
    """The jobs of files with relative output paths. Raises ValueError as `list_jobs`."""
    jobs = [
        TranslationJob(file, tuple(_result_files(output / place, suffix, samples)), (others or {}).get(file, ()))
        for file, place in files.items()
    ]
    _require_separate_results(jobs)
    return jobs


def _require_separate_results(jobs: Iterable[TranslationJob]) -> None:
    sources: dict[Path, Path] = {}
    for job, result in ((each, result) for each in jobs for result in each.results):
        file = job.file
        if result in sources:
            raise ValueError(
                f"{sources[result]} and {file} would both be written to {result}. Translate them into two folders."
            )
        if result.exists() and any(source.samefile(result) for source in (file, *job.others)):
            raise ValueError(f"{result}: the output would replace its input. Choose another --output.")
        sources[result] = file


def _list_inputs(inputs: Iterable[str | Path], output: Path) -> Iterator[tuple[Path, Path]]:
    """Every input file, with its path relative to the output folder."""
    for name in inputs:
        path = Path(name)
        if path.is_dir():
            yield from _list_folder(path, path, map(path.joinpath, walk_pictures(path, KNOWN)), output)
        elif path.exists():
            yield path, Path(path.name)
        elif glob.has_magic(str(name)):
            fixed = list(itertools.takewhile(lambda part: not glob.has_magic(part), path.parts))
            root = Path(*fixed)
            yield from _list_folder(path, root, root.glob(str(Path(*path.parts[len(fixed) :]))), output)
        else:
            raise FileNotFoundError(f"{path}: no such file or folder.")


def _list_folder(pattern: Path, root: Path, files: Iterable[Path], output: Path) -> Iterator[tuple[Path, Path]]:
    """The pictures and videos among the files, in natural order, without hidden files and the output folder."""
    results = output.resolve()
    inside = root.resolve() != results and results.is_relative_to(root.resolve())
    pictures = [
        (file, file.relative_to(root))
        for file in files
        if file.name.lower().endswith(KNOWN) and not (inside and file.resolve().is_relative_to(results))
    ]
    pictures = [(file, place) for file, place in pictures if not is_hidden(place) and not file.is_dir()]
    if not pictures:
        raise FileNotFoundError(
            f"{pattern}: no pictures in this folder." if pattern.is_dir() else f"{pattern}: no picture has such a name."
        )
    yield from natsorted(pictures, key=lambda pair: str(pair[1]))


def _result_files(place: Path, suffix: str, samples: int | None) -> Iterator[Path]:
    if place.suffix.lower() in VIDEOS:
        yield place.with_suffix({".avi": ".mkv"}.get(place.suffix.lower(), place.suffix.lower()))
    elif samples is None:
        yield place.with_name(f"{drop_suffix(place.name)}.{suffix}")
    else:
        yield from (place.with_name(f"{drop_suffix(place.name)}_{number + 1}.{suffix}") for number in range(samples))
