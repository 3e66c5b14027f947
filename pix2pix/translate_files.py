"""`pix2pix translate`: files, folders and globs into a folder; reading and writing overlap with the network."""

import itertools
import logging
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from pix2pix.data.pixels import SUFFIXES, Picture, opened
from pix2pix.pictures import save
from pix2pix.translate import Translator
from pix2pix.translate_jobs import VIDEOS, Job, jobs_of

log = logging.getLogger(__name__)

THREADS = 2  # for reading and as many for writing; decoding and encoding leave Python's lock
AHEAD = 4  # pictures that are read but not translated, and as many that are not written yet: memory stays bounded
T = TypeVar("T")
R = TypeVar("R")


@dataclass
class Report:
    """What became of the files."""

    jobs: list[Job]
    written: int = 0
    skipped: int = 0
    failed: dict[Path, str] = field(default_factory=dict)

    def summary(self, output: Path) -> str:
        """One line for the terminal."""
        parts = [f"{self.written} pictures in {output}"]
        parts += [f"{self.skipped} there already"] if self.skipped else []
        parts += [f"{len(self.failed)} could not be read"] if self.failed else []
        return ", ".join(parts)


def translate_files(
    translator: Translator,
    inputs: Sequence[str | Path],
    output: Path,
    *,
    suffix: str | None = None,
    samples: int | None = None,
    skip_existing: bool = False,
    smooth: float = 0.0,
) -> Report:
    """Translates pictures and videos into `output`; one that cannot be read does not stop the rest.

    Args:
        translator: of the run.
        inputs: files, folders with all that is below them, and patterns such as `photos/**/*.jpg`.
        output: the folder; what comes from a folder keeps its place below it.
        suffix: of the pictures, `png`, `jpg` ...; by default what holds the run's targets.
        samples: so many translations of each picture, as `NAME_1`, `NAME_2` ...
        skip_existing: leave out what was translated before.
        smooth: of videos, see `pix2pix.video`.

    Raises:
        FileNotFoundError: when an input is not there or holds no pictures, before anything is written.
        ValueError: when two inputs would be written to one file, or an output would replace its input.
        OSError: when a result cannot be written.
    """
    jobs = jobs_of(inputs, output, (suffix or translator.trained.suffix).lstrip("."), samples)
    report = Report(jobs)
    waiting = [job for job in jobs if not (skip_existing and job.done)]
    report.skipped = len(jobs) - len(waiting)
    with tqdm(total=len(waiting), unit="picture", disable=None) as progress:
        _translate_pictures(translator, [job for job in waiting if not job.is_video], samples, report, progress)
        for job in waiting:
            if job.is_video:
                _translate_video(translator, job, smooth, report)
                progress.update()
    for file, reason in report.failed.items():
        log.error("%s", reason if str(file) in reason else f"{file}: {reason}")
    return report


def _translate_pictures(
    translator: Translator, jobs: Sequence[Job], samples: int | None, report: Report, progress: Any
) -> None:
    with ThreadPoolExecutor(THREADS) as readers, ThreadPoolExecutor(THREADS) as writers:
        writing: deque[Future[None]] = deque()
        for job, reading in ahead(readers, lambda job: opened(job.file), jobs):
            try:
                picture = reading.result()
                first = translator.trained.inference.seed
                outputs = [
                    translator.translate(picture, name=job.file.stem, seed=first + number)
                    for number in range(samples or 1)
                ]
            except (ValueError, OSError) as error:
                report.failed[job.file] = str(error).replace("picture:", f"{job.file}:", 1)
            else:
                writing.extend(writers.submit(save, *both) for both in zip(outputs, job.results, strict=True))
                report.written += len(outputs)
            while len(writing) > AHEAD:
                writing.popleft().result()
            progress.update()
        for last in writing:
            last.result()


def _translate_video(translator: Translator, job: Job, smooth: float, report: Report) -> None:
    from pix2pix.video import translate_video

    try:
        translate_video(translator, job.file, job.results[0], smooth=smooth)
        report.written += 1
    except (ValueError, OSError) as error:
        report.failed[job.file] = str(error)


def ahead(pool: ThreadPoolExecutor, work: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[T, Future[R]]]:
    """Each item with its work, done in the pool while those before it are in use; at most AHEAD of them wait."""
    rest = iter(items)
    waiting = deque((item, pool.submit(work, item)) for item in itertools.islice(rest, AHEAD))
    try:
        while waiting:
            yield waiting.popleft()
            waiting.extend((item, pool.submit(work, item)) for item in itertools.islice(rest, 1))
    finally:
        for _, work_left in waiting:
            work_left.cancel()


def require_folder(output: Path, inputs: Sequence[str]) -> None:
    """Raises ValueError for an output that looks like a file, or streams that do not go alone."""
    if output.suffix.lower() in (*SUFFIXES, *VIDEOS):
        raise ValueError(f"--output {output}: give the folder for the results; each is named after its input.")
    if "-" in (*inputs, str(output)) and len(inputs) > 1:
        raise ValueError("- (standard input or output) takes one picture alone. Translate the others by themselves.")


def translate_stream(translator: Translator, inputs: Sequence[str], output: Path, suffix: str | None) -> None:
    """One picture from standard input or to standard output, which `-` stands for."""
    (given,) = inputs
    suffix = (suffix or translator.trained.suffix).lstrip(".")
    picture, name = (_standard_input(), "") if given == "-" else (opened(Path(given)), Path(given).stem)
    result = translator.translate(picture, name=name)
    if str(output) != "-":
        save(result, output / f"stdin.{suffix}")
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"result.{suffix}"
        save(result, file)
        sys.stdout.buffer.write(file.read_bytes())


def _standard_input() -> Picture:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "standard input"
        file.write_bytes(sys.stdin.buffer.read())
        return opened(file)
