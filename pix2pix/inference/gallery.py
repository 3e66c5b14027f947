"""Writes the HTML gallery of `pix2pix translate --page`: inputs beside outputs."""

import base64
import io
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from PIL import Image

from pix2pix.core.atomic_files import write_text_atomic
from pix2pix.core.html_page import render_page
from pix2pix.core.prefetch import map_in_threads
from pix2pix.data.images.decode import Picture, open_picture
from pix2pix.data.images.picture_files import printable_name
from pix2pix.inference.file_jobs import TranslationJob
from pix2pix.inference.translation_report import TranslationReport
from pix2pix.inference.written_files import claim_files

PREVIEW_SIDE = 320  # pixels; previews are embedded in the page, which links to the files
LOSSLESS_SIDE = 128  # pixels; smaller pictures are label maps or tests, which loss would blur
BROWSER_FORMATS = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".avif"}  # others are enlarged from the preview


def write_page(report: TranslationReport, output: Path, run: Path) -> Path:
    """Writes `index.html` into `output`, with the failures, and all other inputs that have translations.

    Raises ValueError if there is a page that no translation wrote.
    """
    file = output / "index.html"
    claim_files([file], output)
    done = [job for job in report.jobs if job.is_done and job.file not in report.failed]
    rows = list(map_in_threads(lambda job: _row(job, output, report.seed), done))
    failed = [
        printable_name(reason if str(file) in reason else f"{file}: {reason}") for file, reason in report.failed.items()
    ]
    template = Path(__file__).with_name("translate_page.html")
    page = render_page(template, run=run.resolve().name, rows=rows, failed=failed)
    write_text_atomic(file, page)
    return file


def _row(job: TranslationJob, output: Path, seed: int) -> dict[str, Any]:
    name = printable_name((job.results[0].relative_to(output).parent / job.file.name).as_posix())
    results = [
        {
            "link": quote(os.fsencode(result.relative_to(output).as_posix())),
            "name": printable_name(result.name),
            "seed": seed + number if len(job.results) > 1 else None,
            "in_browser": result.suffix.lower() in BROWSER_FORMATS,
            "preview": None if job.is_video else _preview(result),
        }
        for number, result in enumerate(job.results)
    ]
    source = None if job.is_video else _preview_input(job.file)
    return {"name": name, "source": source, "results": results, "video": job.is_video}


def _preview_input(file: Path) -> str | None:
    """The preview of an input; None for one that cannot be read any more, such as of an earlier translation."""
    try:
        return _preview(file)
    except (ValueError, OSError):
        return None


def _preview(file: Path) -> str:
    """A preview as a data URI; deeper pixels are scaled to 8 bits by their own range."""
    small = _to_displayable(open_picture(file))
    small.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    return webp_data_uri(small, quality=None if max(small.size) <= LOSSLESS_SIDE else 80)


def webp_data_uri(picture: Image.Image, quality: int | None) -> str:
    """The picture as the data URI of a WebP: of this quality from 0 to 100, or lossless for None."""
    content = io.BytesIO()
    # The least effort: a page of many pictures is written in a fraction of the time, and is a twentieth larger.
    options = {"lossless": True, "quality": 0} if quality is None else {"quality": quality}
    picture.save(content, "WEBP", method=0, **options)
    return f"data:image/webp;base64,{base64.b64encode(content.getvalue()).decode()}"


def _to_displayable(picture: Picture) -> Image.Image:
    if isinstance(picture, Image.Image) and picture.mode in {"1", "L", "LA", "P", "RGB", "RGBA", "CMYK"}:
        return picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    # 16 bits and floats are stretched from their lowest to their highest value, or many would be all black.
    pixels = np.asarray(picture, np.float64)
    low, high = pixels.min(), pixels.max()
    pixels = (255 * (pixels - low) / max(high - low, 1e-9)).astype(np.uint8)
    return Image.fromarray(pixels if pixels.ndim == 2 else pixels[..., :3] if pixels.shape[2] >= 3 else pixels[..., 0])
