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
from pix2pix.web.demo.static_files import read_page_files, sample_files

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
    """Writes the folder atomically, in place of an earlier export, and returns a report.

    Args:
        run: a run directory or checkpoint.
        path: the folder.
        onnxruntime: a folder with the npm package onnxruntime-web; None downloads it once into the cache.
        pixels: must be `uint8`.
        half: weights and arithmetic in 16 bits: half the download size, not faster.
        opset: the ONNX operator set version.
        options: options of `load_translator`.

    Raises:
        ValueError: when the folder holds other files, or the model cannot be exported.
        OSError: when onnxruntime-web is not available.
    """
    if pixels != "uint8":
        raise ValueError(f"--pixels {pixels}: the page needs 8-bit pictures. Omit --pixels.")
    folder = Path(path)
    _require_earlier_export(folder)
    with atomic_dir(folder) as part:
        # First what may fail for want of a network; the export takes longer.
        copy_onnxruntime_web(onnxruntime, part / "onnxruntime")
        # The page derives inputs itself, so that a visitor can draw on them.
        description, difference = export_onnx(run, part / "model.onnx", half=half, opset=opset, derive=False, **options)
        _write_page(part, run, description, options)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
    return (
        f"onnxruntime against PyTorch: {difference}\n{size:.0f} MB for any web server; "
        f"to view it on this machine: python -m http.server --bind 127.0.0.1 --directory {folder}"
    )


def _require_earlier_export(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / MARKER).is_file())):
        raise ValueError(f"{folder}: not empty, and not an earlier export. Choose another --output.")


def _write_page(folder: Path, run: str | Path, description: dict[str, Any], options: dict[str, Any]) -> None:
    runs = load_runs([run], **options)
    samples = find_samples(runs[0])
    model = {key: description[key] for key in ("input", "output", "noise")}
    data = page_data(runs, samples) | {"model": model}
    pictures = {name: content for name, (content, _) in sample_files(samples).items()}
    files = read_page_files("browser", data) | pictures
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (folder / MARKER).write_text(json.dumps(data), encoding="utf-8")
