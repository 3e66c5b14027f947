"""`pix2pix translate`: translates files, folders and file patterns, reading and writing in parallel."""

import logging
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from pix2pix.core.allocator import keep_freed_memory
from pix2pix.core.prefetch import batch_by_size, read_run_write
from pix2pix.data.images.decode import SUFFIXES, Picture, opened, size
from pix2pix.data.images.pictures import save
from pix2pix.inference.file_jobs import VIDEOS, TranslationJob, list_jobs
from pix2pix.inference.translator import Translator

log = logging.getLogger(__name__)


@dataclass
class TranslationReport:
    """What became of the files."""

    jobs: list[TranslationJob]
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
) -> TranslationReport:
    """Translates pictures and videos into `output`; one that cannot be read does not stop the rest.

    Args:
        translator: of the run.
        inputs: files, folders with all that is below them, and patterns such as `photos/**/*.jpg`.
        output: the folder; what comes from a folder keeps its place below it.
        suffix: of the pictures, `png`, `jpg` ...; by default what holds the run's targets.
        samples: so many translations of each picture, as `NAME_1`, `NAME_2` ...
        skip_existing: leave out what was translated before.
        smooth: of videos, see `pix2pix.inference.video`.

    Raises:
        FileNotFoundError: when an input is not there or holds no pictures, before anything is written.
        ValueError: when two inputs would be written to one file, or an output would replace its input.
        OSError: when a result cannot be written.
    """
    keep_freed_memory()
    jobs = list_jobs(inputs, output, (suffix or translator.trained.suffix).lstrip("."), samples)
    report = TranslationReport(jobs)
    waiting = [job for job in jobs if not (skip_existing and job.is_done)]
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
    translator: Translator,
    jobs: Sequence[TranslationJob],
    samples: int | None,
    report: TranslationReport,
    progress: Any,
) -> None:
    run = partial(_translate, translator, samples or 1)
    for passage in read_run_write(batch_by_size(jobs, _size, translator.batch_size), _read, run, _write):
        report.written += len(passage.outputs)
        if passage.reason:
            report.failed[passage.job.file] = passage.reason
        progress.update()


@dataclass
class _PictureJob:
    """A picture on its way through: what it is, what was made of it, or why nothing was."""

    job: TranslationJob
    picture: Picture | None = None
    outputs: list[Picture] = field(default_factory=list)
    reason: str = ""


def _size(job: TranslationJob) -> tuple[int, int] | None:
    """Height and width as the file's header tells them, as far as it can be read."""
    try:
        width, height = size(job.file)
    except (ValueError, OSError):
        return None
    return height, width


def _read(job: TranslationJob) -> _PictureJob:
    try:
        return _PictureJob(job, opened(job.file))
    except (ValueError, OSError) as error:
        return _PictureJob(job, reason=str(error))


def _translate(translator: Translator, samples: int, passages: Sequence[_PictureJob]) -> Sequence[_PictureJob]:
    """Translates what could be read at once; where a picture is refused, each by itself."""
    there = [(passage, passage.picture) for passage in passages if passage.picture is not None]
    names = [translator.trained.pair_name(passage.job.file) for passage, _ in there]
    first = translator.trained.inference.seed
    try:
        by_sample = [
            translator.translate_batch([picture for _, picture in there], names, first + number)
            for number in range(samples if there else 0)
        ]
    except (ValueError, OSError) as error:
        if len(there) > 1:
            return [each for passage in passages for each in _translate(translator, samples, [passage])]
        ((refused, _),) = there
        refused.reason = str(error).replace("picture:", f"{refused.job.file}:", 1)
    else:
        for (passage, _), outputs in zip(there, zip(*by_sample, strict=True), strict=True):
            passage.outputs = list(outputs)
    return passages


def _write(passage: _PictureJob) -> _PictureJob:
    for output, result in zip(passage.outputs, passage.job.results, strict=not passage.reason):
        save(output, result)
    return passage


def _translate_video(translator: Translator, job: TranslationJob, smooth: float, report: TranslationReport) -> None:
    from pix2pix.inference.video import translate_video

    try:
        translate_video(translator, job.file, job.results[0], smooth=smooth)
        report.written += 1
    except (ValueError, OSError) as error:
        report.failed[job.file] = str(error)


def require_output_folder(output: Path, inputs: Sequence[str]) -> None:
    """Raises ValueError for an output that looks like a file, or streams that do not go alone."""
    if output.suffix.lower() in (*SUFFIXES, *VIDEOS):
        raise ValueError(f"--output {output}: give the folder for the results; each is named after its input.")
    if "-" in (*inputs, str(output)) and len(inputs) > 1:
        raise ValueError("- (standard input or output) takes one picture alone. Translate the others by themselves.")


def translate_stream(translator: Translator, inputs: Sequence[str], output: Path, suffix: str | None) -> None:
    """One picture from standard input or to standard output, which `-` stands for."""
    (given,) = inputs
    suffix = (suffix or translator.trained.suffix).lstrip(".")
    file = Path(given)
    picture, name = (_standard_input(), "") if given == "-" else (opened(file), translator.trained.pair_name(file))
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
