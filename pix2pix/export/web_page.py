"""Exports the demo as a static web page, whose models run in the visitor's browser."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pix2pix.core.atomic_files import atomic_dir
from pix2pix.export.graph import Pixels
from pix2pix.export.link_preview import draw_preview, preview_tags
from pix2pix.export.onnx import export_onnx
from pix2pix.export.onnxruntime_web import RUNTIMES, copy_onnxruntime_web
from pix2pix.web.demo.app import page_data
from pix2pix.web.demo.runs import LoadedRun, load_runs
from pix2pix.web.demo.sample_pictures import find_samples
from pix2pix.web.demo.static_files import read_page_files, sample_files

MARKER = "runs.json"
MODEL_KEYS = ("size", "input", "output", "noise", "half")
SERVE = "python -m http.server --bind 127.0.0.1 --directory"


def export_web(
    runs: str | Path | Sequence[str | Path],
    path: str | Path,
    *,
    onnxruntime: str | Path | None = None,
    pixels: Pixels = "uint8",
    half: bool = True,
    opset: int | None = None,
    address: str | None = None,
    **options: Any,
) -> str:
    """Writes the folder atomically, in place of an earlier export, and returns a report.

    Args:
        runs: one or several run directories, sweeps or checkpoints, which take inputs of one kind.
        path: the folder.
        onnxruntime: a folder with the npm package onnxruntime-web; None downloads it once into the cache.
        pixels: must be `uint8`.
        half: weights and arithmetic in 16 bits: half the download size.
        opset: the ONNX operator set version.
        address: where the page will be hosted; the picture of a link needs a whole address on many sites.
        options: options of `load_translator`.

    Raises:
        ValueError: when the folder holds other files, or a model cannot be exported.
        OSError: when onnxruntime-web is not available.
    """
    if pixels != "uint8":
        raise ValueError(f"--pixels {pixels}: the page needs 8-bit pictures. Omit --pixels.")
    folder, paths = Path(path), [runs] if isinstance(runs, str | Path) else list(runs)
    _require_earlier_export(folder)
    with atomic_dir(folder) as part:
        # First what may fail for want of a network; the export takes longer.
        copy_onnxruntime_web(onnxruntime, part / "onnxruntime")
        loaded = load_runs(paths, **options)
        models, lines = _export_models(loaded, part, half=half, opset=opset, **options)
        runtimes = {kind: _describe_file(part, part / "onnxruntime" / name) for kind, name in RUNTIMES.items()}
        _write_page(part, loaded, {"models": models, "runtimes": runtimes}, address)
    return "\n".join([*lines, _describe_sizes(models, runtimes), f"to view it on this machine: {SERVE} {folder}"])


def _export_models(runs: Sequence[LoadedRun], folder: Path, **options: Any) -> tuple[list[dict[str, Any]], list[str]]:
    """Exports each run as ONNX. Returns what the page needs to know of each model, and a line of the report for it."""
    models, lines = [], []
    for number, run in enumerate(runs):
        file = folder / ("model.onnx" if len(runs) == 1 else f"model_{number}.onnx")
        # The page derives inputs itself, so that a visitor can draw on them.
        description, difference = export_onnx(run.path, file, derive=False, **options)
        models.append(_describe_file(folder, file) | {key: description[key] for key in MODEL_KEYS})
        lines.append(f"{run.name}: onnxruntime against PyTorch: {difference}")
    return models, lines


def _require_earlier_export(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / MARKER).is_file())):
        raise ValueError(f"{folder}: not empty, and not an earlier export. Choose another --output.")


def _describe_file(folder: Path, file: Path) -> dict[str, Any]:
    return {"file": f"./{file.relative_to(folder).as_posix()}", "bytes": file.stat().st_size}


def _describe_sizes(models: Sequence[Mapping[str, Any]], runtimes: Mapping[str, Mapping[str, Any]]) -> str:
    model = max(model["bytes"] for model in models) / 1e6
    wasm, webgpu = (runtimes[kind]["bytes"] / 1e6 for kind in ("wasm", "webgpu"))
    return (
        f"for any web server; a visitor downloads {model + wasm:.1f} MB (the model {model:.1f}), "
        f"or {model + webgpu:.1f} MB with WebGPU"
    )


def _write_page(folder: Path, runs: Sequence[LoadedRun], browser: dict[str, Any], address: str | None) -> None:
    samples = find_samples(runs[0])
    data = page_data(runs, samples) | {"browser": browser}
    files = read_page_files("browser", data) | {name: content for name, (content, _) in sample_files(samples).items()}
    preview = draw_preview(runs[0], samples)
    files |= {} if preview is None else {"preview.png": preview}
    tags = preview_tags(runs[0].config.data.name, address, has_picture=preview is not None)
    files["index.html"] = files["index.html"].replace(b"</head>", f"{tags}\n</head>".encode(), 1)
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (folder / MARKER).write_text(json.dumps(data), encoding="utf-8")
