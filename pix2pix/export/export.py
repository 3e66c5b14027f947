"""`pix2pix export`: chooses the format and the file name, and reports the result."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pix2pix.core.arguments import require_choice, require_path
from pix2pix.inference.builtin import BUILTIN
from pix2pix.inference.hub import is_hub_address, parse_address
from pix2pix.runs.run import Run

SUFFIXES = {"onnx": ".onnx", "safetensors": ".safetensors", "exported-program": ".pt2", "web": "_web"}


def export(run: str | Path | Sequence[str | Path], kind: str, output: str | Path | None = None, **options: Any) -> str:
    """Writes `run` in one of the formats and returns a report whose last line is the path.

    Args:
        run: a run; for `web` also several.
        kind: the format.
        output: the file or folder; None: in the run.
        options: options of the format.

    Raises:
        ValueError: for options that the format does not have, or a file whose outputs differ from PyTorch's.
        FileNotFoundError: when the run does not exist.
    """
    require_choice(kind, "format", tuple(SUFFIXES))
    runs = [run] if isinstance(run, str | Path) else list(run)
    for name, place in (*(("run", run) for run in runs), ("output", output)):
        if place is not None:
            require_path(place, name)
    given = {name: value for name, value in options.items() if value not in (None, ())}
    if len(runs) > 1:
        return _export_several(runs, kind, output, given)
    [run] = runs
    path = Path(output) if output is not None else _default_path(Path(run), SUFFIXES[kind])
    if kind != "web" and path.is_dir():  # before a minute of work
        raise ValueError(f"--output {path}: is a folder. Name a file, such as {path / f'generator{SUFFIXES[kind]}'}.")
    if path.exists() and Path(run).exists() and path.samefile(run):
        raise ValueError(f"{path}: is the RUN itself, which would be replaced. Name another file with --output.")
    if output is None and Path(run).is_dir():
        Run(run).require_inside(path)
    for option in ("onnxruntime", "address"):
        if kind != "web" and option in given:
            raise ValueError(f"--{option} applies to --format web alone, not to {kind}. Omit it.")
    if kind not in {"onnx", "web"} and "opset" in given:
        raise ValueError(f"--opset applies to ONNX files, not to {kind}. Omit it.")
    return f"{WRITERS[kind](run, path, given)}\n{path}"


def _export_several(runs: Sequence[str | Path], kind: str, output: str | Path | None, options: dict[str, Any]) -> str:
    if kind != "web":
        raise ValueError(f"--format {kind} takes one run, not {len(runs)}. Only a web page can hold several.")
    if output is None:
        raise ValueError("several runs: name the folder of the page with --output.")
    return f"{_web(runs, Path(output), options)}\n{output}"


def _default_path(run: Path, suffix: str) -> Path:
    """In the run; beside a single checkpoint; in the current directory for a built-in or hub translator."""
    if is_hub_address(run):
        return Path(f"{parse_address(run)[0].rpartition('/')[2]}{suffix}")
    if not run.exists() and str(run) in BUILTIN:
        return Path(f"{run}{suffix}")
    if run.is_file():
        return run.with_name(f"{run.stem}{suffix}")
    return Run(run).path / "exported" / f"{run.resolve().name}{suffix}"


def _onnx(run: str | Path, path: Path, options: dict[str, Any]) -> str:
    from pix2pix.export.onnx import export_onnx

    description, difference = export_onnx(run, path, **options)
    return f"{summarize(description)}\nonnxruntime against PyTorch: {difference}"


def _program(run: str | Path, path: Path, options: dict[str, Any]) -> str:
    from pix2pix.export.exported_program import export_program

    description, difference = export_program(run, path, **options)
    return f"{summarize(description)}\nthe file against the run: {difference}"


def _safetensors(run: str | Path, path: Path, options: dict[str, Any]) -> str:
    from pix2pix.export.safetensors import export_safetensors

    if options.pop("pixels", "uint8") != "uint8" or not options.pop("derive", True):
        raise ValueError("--pixels and --no-derive do not apply to safetensors, which holds weights only. Omit them.")
    export_safetensors(run, path, **options)
    return "Weights and configuration; load_translator reads the file."


def _web(run: str | Path | Sequence[str | Path], path: Path, options: dict[str, Any]) -> str:
    from pix2pix.export.web_page import export_web  # pyright: ignore[reportMissingImports]

    if not options.pop("derive", True):
        raise ValueError("--no-derive does not apply to web: its page has a box for pictures that are inputs. Omit it.")
    return export_web(run, path, **options)


WRITERS: dict[str, Callable[[Any, Path, dict[str, Any]], str]] = {
    "onnx": _onnx,
    "exported-program": _program,
    "safetensors": _safetensors,
    "web": _web,
}


def summarize(description: dict[str, Any]) -> str:
    """The inputs and outputs of an exported network, one per line."""
    multiple, image = description["multiple"], description["input"]
    lines = [
        f"image: {image['type']} (batch, {image['channels']}, {multiple} h, {multiple} w), "
        f"{image['range'][0]} to {image['range'][1]}"
    ]
    for layer in description["noise"]:
        unit = multiple // layer["stride"]
        lines.append(f"{layer['name']}: float32 (batch, {layer['channels']}, {unit} h, {unit} w), uniform in 0 to 1")
    lines += _summarize_derivation(description)
    return "\n".join(
        [*lines, f"translation: {description['output']['type']}, {description['output']['channels']} channels"]
    )


def _summarize_derivation(description: dict[str, Any]) -> list[str]:
    """Says whether the file derives its inputs from photos, for a run on `data=derived`."""
    derivation, multiple = description["derivation"], description["multiple"]
    if derivation is None:
        return []
    if not derivation["inside"]:
        return [
            f"The file takes inputs, not photos: {derivation['operation']} is not in it. docs/using.md, Export, shows "
            "how to derive them."
        ]
    shape = f"{multiple} h, {multiple} w"
    return [
        *(
            f"{given['name']}: {given['type']} (batch, {given['channels']}, {shape}), {given['values']}"
            for given in derivation["inputs"]
        ),
        f"The file takes photos and derives the input ({derivation['operation']}); --no-derive: it takes inputs.",
    ]
