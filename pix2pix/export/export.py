"""`pix2pix export`: chooses the format and the file name, and reports the result."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pix2pix.inference.builtin import BUILTIN
from pix2pix.inference.hub import is_hub_address, parse_address
from pix2pix.runs.run import Run

SUFFIXES = {"onnx": ".onnx", "safetensors": ".safetensors", "exported-program": ".pt2", "web": "_web"}


def export(run: str | Path, kind: str, output: Path | None = None, **options: Any) -> str:
    """Writes RUN in one of the formats and returns what there is to say of it, the path last.

    Raises:
        ValueError: for options that the format does not have, or a file that does not compute what PyTorch does.
        FileNotFoundError: when there is no such run.
    """
    path = output or _default_path(Path(run), SUFFIXES[kind])
    if output is None and Path(run).is_dir():
        Run(run).require_inside(path.parent)
    return f"{WRITERS[kind](run, path, {name: value for name, value in options.items() if value})}\n{path}"


def _default_path(run: Path, suffix: str) -> Path:
    """In the run; beside a checkpoint that stands alone; here, for a translator that is built in or of the hub."""
    if is_hub_address(run):
        return Path(f"{parse_address(run)[0].rpartition('/')[2]}{suffix}")
    if not run.exists() and str(run) in BUILTIN:
        return Path(f"{run}{suffix}")
    if run.is_file():
        return run.with_name(f"{run.stem}{suffix}")
    return Run(run).path / "exported" / f"{run.resolve().name}{suffix}"


def _onnx(run: str | Path, path: Path, options: dict[str, Any]) -> str:
    from pix2pix.export.onnx import export_onnx

    about, found = export_onnx(run, path, **options)
    return f"{summary(about)}\nonnxruntime against PyTorch: {found}"


def _program(run: str | Path, path: Path, options: dict[str, Any]) -> str:
    from pix2pix.export.exported_program import export_program

    about, found = export_program(run, path, **options)
    return f"{summary(about)}\nthe file against the run: {found}"


def _safetensors(run: str | Path, path: Path, options: dict[str, Any]) -> str:
    from pix2pix.export.safetensors import export_safetensors

    if options.pop("pixels", "uint8") != "uint8" or "opset" in options:
        raise ValueError("--pixels and --opset are of graphs; a safetensors file holds weights. Leave them out.")
    export_safetensors(run, path, **options)
    return "The weights and their configuration; load_translator reads the file."


def _web(run: str | Path, path: Path, options: dict[str, Any]) -> str:
    from pix2pix.export.web_page import export_web  # pyright: ignore[reportMissingImports]

    return export_web(run, path, **options)


WRITERS: dict[str, Callable[[str | Path, Path, dict[str, Any]], str]] = {
    "onnx": _onnx,
    "exported-program": _program,
    "safetensors": _safetensors,
    "web": _web,
}


def summary(about: dict[str, Any]) -> str:
    """What goes into a graph and what comes out, a line each."""
    side = about["multiple"]
    lines = [
        f"image: {about['input']['type']} (batch, {about['input']['channels']}, {side} h, {side} w), "
        f"{about['input']['range'][0]} to {about['input']['range'][1]}"
    ]
    for layer in about["noise"]:
        unit = side // layer["stride"]
        lines.append(f"{layer['name']}: float32 (batch, {layer['channels']}, {unit} h, {unit} w), uniform in 0 to 1")
    return "\n".join([*lines, f"translation: {about['output']['type']}, {about['output']['channels']} channels"])
