"""Translates files, folders and file patterns, reading and writing in parallel, for `pix2pix translate`."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from pix2pix.core.allocator import keep_freed_memory
from pix2pix.core.arguments import require_at_least, require_path
from pix2pix.core.extras import MissingExtraError
from pix2pix.core.plurals import pluralize
from pix2pix.core.prefetch import batch_by_size, read_run_write
from pix2pix.core.progress_bars import tqdm
from pix2pix.data.images.decode import Picture, open_picture
from pix2pix.data.images.geotiff import Place, read_place
from pix2pix.data.images.pictures import save_picture
from pix2pix.data.images.tiff import SUFFIXES as TIFF_SUFFIXES
from pix2pix.data.settings import DataSettings
from pix2pix.inference.file_jobs import TranslationJob, list_jobs
from pix2pix.inference.generator import TrainedGenerator
from pix2pix.inference.geometry import picture_size
from pix2pix.inference.joined_inputs import list_joined_jobs
from pix2pix.inference.requests import Request
from pix2pix.inference.side_by_side import take_input_half, warn_of_pairs
from pix2pix.inference.translation_report import TranslationReport
from pix2pix.inference.translator import Translator
from pix2pix.inference.written_files import claim_files

log = logging.getLogger(__name__)


def translate_files(
    translator: Translator,
    inputs: str | Path | Sequence[str | Path] | Mapping[str, str | Path],
    output: str | Path,
    *,
    suffix: str | None = None,
    samples: int | None = None,
    skip_existing: bool = False,
    smooth: float = 0.0,
    side_by_side: bool = False,
) -> TranslationReport:
    """Translates pictures and videos into the folder `output`. A file that cannot be read does not stop the others.

    Args:
        inputs: files, folders (searched recursively), and patterns such as `photos/**/*.jpg`; for a run of several
            inputs one of these for each, by name: {"mask": "masks", "photo": "photos"}. Of a table of pairs,
            `pairs.csv`, the inputs without targets.
        output: the output folder; files of an input folder keep their relative paths.
        suffix: file format, such as `png`; default: one that holds the run's targets.
        samples: number of translations of each picture, written as `NAME_1`, `NAME_2` ...
        skip_existing: skip inputs whose output files exist.
        smooth: weight of earlier video frames, see `pix2pix.inference.video`.
        side_by_side: translate the input half of each picture, which is a pair side by side.

    Raises:
        FileNotFoundError: for an input without pictures; nothing is written then.
        ValueError: for no inputs; when two have the same output file, or one would replace a file of another origin.
        OSError: when a result cannot be written.
        KeyboardInterrupt: after Ctrl-C, with how many results are written.
    """
    inputs, output = _require_places(inputs, output)
    jobs = _list_jobs(translator.trained, inputs, output, suffix, samples)
    pending = [job for job in jobs if not (skip_existing and job.is_done)]
    claim_files((result for job in pending for result in job.results), output)
    report = TranslationReport(jobs, translator.trained.inference.seed, skipped=len(jobs) - len(pending))
    pictures, videos = [[job for job in pending if job.is_video is kind] for kind in (False, True)]
    before = {result for job in pending for result in job.results if result.exists()}
    try:
        with tqdm(total=len(pending), unit="picture", disable=None) as progress:
            _translate_pictures(translator, pictures, samples, report, progress, side_by_side)
            _translate_videos(translator, videos, smooth, report, progress)
    except KeyboardInterrupt as end:
        raise KeyboardInterrupt(report.describe_interrupted(pending, before, output)) from end
    _log_failures(report)
    return report


def _require_places(
    inputs: str | Path | Sequence[str | Path] | Mapping[str, str | Path], output: str | Path
) -> tuple[Sequence[str | Path] | Mapping[str, str | Path], Path]:
    """The inputs and the output folder. Raises ValueError for none or an empty one, and for a file as the folder."""
    require_path(output, "output")
    if Path(output).exists() and not Path(output).is_dir():
        raise ValueError(f"output={output}: is a file. Name a folder.")
    given = [inputs] if isinstance(inputs, str | Path) else inputs
    if not given:
        raise ValueError("no inputs: give files, folders, or patterns such as photos/*.jpg.")
    for path in given.values() if isinstance(given, Mapping) else given:
        require_path(path, "input")
    return given, Path(output)


def _list_jobs(
    trained: TrainedGenerator,
    inputs: Sequence[str | Path] | Mapping[str, str | Path],
    output: Path,
    suffix: str | None,
    samples: int | None,
) -> list[TranslationJob]:
    require_at_least(1, samples=samples)
    suffix = (trained.config.data.output_suffix if suffix is None else suffix).lstrip(".")
    if suffix != "npy" and Image.registered_extensions().get(f".{suffix}") not in Image.SAVE:
        raise ValueError(f"suffix={suffix!r}: no file format of pictures. Choose png, jpg, webp, tif or npy.")
    if isinstance(inputs, Mapping):
        names = trained.config.data.source_image_spec.folders
        return list_joined_jobs(names, inputs, output, suffix, samples)
    return list_jobs(inputs, output, suffix, samples, trained.config.data)


def _log_failures(report: TranslationReport) -> None:
    """Logs every file that could not be translated, and those that lost their place on earth."""
    for file, reason in report.failed.items():
        log.error("%s", reason if str(file) in reason else f"{file}: {reason}")
    if report.without_place:
        (file, why), *others = report.without_place.items()
        more = f", nor that of {pluralize(len(others), 'other', 'others')}" if others else ""
        log.warning("%s: its place on earth is not in the translation%s. %s", file, more, why)


def _translate_pictures(
    translator: Translator,
    jobs: Sequence[TranslationJob],
    samples: int | None,
    report: TranslationReport,
    progress: Any,
    side_by_side: bool,
) -> None:
    keep_freed_memory()
    if not side_by_side:
        warn_of_pairs(translator.trained.config.data, jobs)
    run = partial(_translate, translator, samples or 1)
    read = partial(_read_input_half, translator.trained.config.data) if side_by_side else _read
    size = partial(_size, translator) if not side_by_side else lambda job: None
    batches = batch_by_size(jobs, size, translator.batch_size)
    for item in read_run_write(batches, read, run, _write):
        report.written += len(item.outputs)
        if item.reason:
            report.failed[item.job.file] = item.reason
        if item.why_without_place:
            report.without_place[item.job.file] = item.why_without_place
        progress.update()


@dataclass
class _PictureTask:
    """A job on its way from reader to writer: its pictures and outputs, or the reason why it failed."""

    job: TranslationJob
    pictures: tuple[Picture, ...] = ()
    outputs: list[Picture] = field(default_factory=list)
    reason: str = ""
    place: Place | None = None
    why_without_place: str = ""


def _size(translator: Translator, job: TranslationJob) -> tuple[int, int] | None:
    """Height and width at which the file is translated; None if it cannot be read."""
    try:
        return translator.size_of(job.file)
    except (ValueError, OSError):
        return None


def _read(job: TranslationJob) -> _PictureTask:
    try:
        item = _PictureTask(job, tuple(open_picture(file) for file in (job.file, *job.others)))
    except (ValueError, OSError) as error:
        return _PictureTask(job, reason=str(error))
    try:
        item.place = read_place(job.file)
    except MissingExtraError as error:
        item.why_without_place = str(error).capitalize()
    return item


def _read_input_half(data: DataSettings, job: TranslationJob) -> _PictureTask:
    item = _read(job)
    try:
        item.pictures = tuple(take_input_half(data, picture, job.file) for picture in item.pictures)
        item.place = None  # a file's place is not that of its half
    except ValueError as error:
        return _PictureTask(job, reason=str(error))
    return item


def _translate(translator: Translator, samples: int, items: Sequence[_PictureTask]) -> Sequence[_PictureTask]:
    """Translates the readable pictures in one batch; if that fails, each alone, to find the picture at fault."""
    readable = [item for item in items if item.pictures]
    requests = [Request(item.pictures, translator.trained.pair_name(item.job.file)) for item in readable]
    first = translator.trained.inference.seed
    try:
        by_sample = [
            translator.translate_batch(requests, first + number) for number in range(samples if readable else 0)
        ]
    except (ValueError, OSError) as error:
        if len(readable) > 1:
            return [each for item in items for each in _translate(translator, samples, [item])]
        (failed,) = readable
        failed.reason = str(error).replace("picture:", f"{failed.job.file}:", 1)
    else:
        for item, outputs in zip(readable, zip(*by_sample, strict=True), strict=True):
            item.outputs = list(outputs)
    return items


def _write(item: _PictureTask) -> _PictureTask:
    for output, result in zip(item.outputs, item.job.results, strict=not item.reason):
        # A translation shows the same ground at whatever size it has.
        place = item.place and item.place.at_size(picture_size(output))
        if place and result.suffix.lower() not in TIFF_SUFFIXES:
            item.why_without_place = "Choose --format tif."
        save_picture(output, result, place=place)
    return item


def _translate_videos(
    translator: Translator, jobs: Sequence[TranslationJob], smooth: float, report: TranslationReport, progress: Any
) -> None:
    for job in jobs:
        from pix2pix.inference.video import translate_video

        try:
            report.videos[job.file] = str(translate_video(translator, job.file, job.results[0], smooth=smooth))
        except (ValueError, OSError) as error:
            report.failed[job.file] = str(error)
        progress.update()
