"""Exports the demo as a static web page, whose model runs in the visitor's browser."""

import json
from pathlib import Path
from typing import Any

from pix2pix.core.atomic_files import atomic_dir
from pix2pix.export.graph import Pixels
from pix2pix.export.onnx import export_onnx
from pix2pix.export.onnxruntime_web import copy_onnxruntime_web
from pix2pix.web.demo.app import page_data
from pix2pix.web.demo.runs import load_runs
from pix2pix.web.demo.sample_pictures import find_samples
from pix2pix.web.demo.static_files import page_files, sample_files

MARKER = "runs.json"


def export_web(
    run: str | Path,
    path: str | Path,
    *,
    onnxruntime: str | Path | None = None,
    pixels: Pixels = "uint8",
    half: bool = False,
    opset: int | None = None,
    **options: Any,
) -> str:
    """Writes the folder, whole or not at all, in place of an earlier one.

    Args:
        run: a run directory or checkpoint.
        path: the folder.
        onnxruntime: a folder with the npm package onnxruntime-web; None downloads it once, or takes it from the cache.
        pixels: `uint8`; the page has no other.
        half: weights and arithmetic in 16 bits: half the download, no faster.
        opset: of ONNX.
        options: those of `load_translator`.

    Returns:
        What there is to say of it.

    Raises:
        ValueError: when the folder holds something else, or the model cannot be exported.
        OSError: when onnxruntime-web cannot be had.
    """
    if pixels != "uint8":
        raise ValueError(f"--pixels {pixels}: the page draws pictures of 8 bits. Leave it out.")
    folder = Path(path)
    _require_earlier_export(folder)
    with atomic_dir(folder) as part:
        copy_onnxruntime_web(onnxruntime, part / "onnxruntime")
        about, found = export_onnx(run, part / "model.onnx", half=half, opset=opset, **options)
        _write_page(part, run, about, options)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
    return (
        f"onnxruntime against PyTorch: {found}\n{size:.0f} MB for any web server; "
        f"to look at it here: {_serve_command(folder)}"
    )


def _serve_command(folder: Path) -> str:
    return f"python -m http.server --bind 127.0.0.1 --directory {folder}"


def _require_earlier_export(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / MARKER).is_file())):
        raise ValueError(f"{folder}: holds something else than an earlier page. Choose another --output.")


def _write_page(folder: Path, run: str | Path, about: dict[str, Any], options: dict[str, Any]) -> None:
    shown = load_runs([run], **options)
    samples = find_samples(shown[0])
    known = {key: about[key] for key in ("input", "output", "noise")}
    files = page_files("browser") | {name: content for name, (content, _) in sample_files(samples).items()}
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (folder / MARKER).write_text(json.dumps(page_data(shown, samples) | {"model": known}), encoding="utf-8")
