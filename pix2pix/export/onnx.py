"""Exports the generator to ONNX for any batch, height and width, and checks it against PyTorch."""

import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pix2pix.core.atomic_files import atomic_file
from pix2pix.core.extras import import_extra
from pix2pix.export.graph import InferenceGraph, Pixels, describe, dynamic_shapes
from pix2pix.export.parity import Difference, measure_difference, require_agreement
from pix2pix.inference.generator import TrainedGenerator, load_generator

METADATA = "pix2pix"  # the key of the description in the file's metadata


def export_onnx(
    run: str | Path,
    path: str | Path,
    *,
    pixels: Pixels = "uint8",
    half: bool = False,
    opset: int | None = None,
    derive: bool = True,
    **options: Any,
) -> tuple[dict[str, Any], Difference]:
    """Writes the generator of a run as ONNX and checks the file, with onnxruntime, against PyTorch.

    Args:
        run: a run directory, checkpoint or exported weights.
        path: the file to write; an existing one is replaced only after the check.
        pixels: `uint8` for 8-bit pixels as in files, `float` for values in [-1, 1].
        half: compute in float16.
        opset: the ONNX operator set version; None: torch's default.
        derive: as of `InferenceGraph`: whether the file takes photos where inputs are derived from them.
        options: options of `load_generator`; with `dropout="on"` the file has inputs `noise_0`, `noise_1` ...

    Returns:
        The description, which the metadata of the file holds under the key `pix2pix`, and the difference from PyTorch.

    Raises:
        ValueError: when the outputs of onnxruntime and PyTorch differ, or the ONNX packages are not installed.
    """
    for package in ("onnxruntime", "onnxscript"):
        import_extra(package, "ONNX", "export")
    trained = load_generator(run, device="cpu", **options)
    graph = InferenceGraph(trained, pixels=pixels, half=half, derive=derive).eval()
    description = describe(trained, graph)
    program: Any = _to_onnx(graph, opset)
    program.model.metadata_props[METADATA] = json.dumps(description)
    # The check runs on the temporary file: one that differs never takes the place of an earlier export.
    with atomic_file(Path(path)) as part, _silence_exporters():
        program.save(part)
        difference = compare_with_pytorch(part, trained, graph)
        require_agreement(difference, graph)
    return description, difference


def _to_onnx(graph: InferenceGraph, opset: int | None) -> Any:
    derivation = graph.derivation.inputs if graph.derivation is not None else ()
    names = ["image", *(each.name for each in (*graph.noise, *derivation))]
    try:
        with _silence_exporters():
            return torch.onnx.export(
                graph,
                graph.example(2, 2, 3),  # torch.export takes sizes of 0 and 1 for constants
                input_names=names,
                output_names=["translation"],
                dynamic_shapes=dynamic_shapes(graph),
                opset_version=opset,
                dynamo=True,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        raise ValueError(
            f"the generator cannot be written as ONNX: {error} Choose --format safetensors, or change the network."
        ) from error


@contextmanager
def _silence_exporters() -> Iterator[None]:
    """Silences deprecations within torch and the log messages of the exporters."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def compare_with_pytorch(file: Path, trained: TrainedGenerator, graph: InferenceGraph) -> Difference:
    """Compares the file with the trained generator on the same pictures and noise."""
    session = open_session(file)
    return measure_difference(lambda *inputs: run_session(session, *inputs), trained, graph)


def open_session(file: Path) -> Any:
    """Opens an onnxruntime session on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def run_session(session: Any, image: Tensor, noise: Sequence[Tensor], given: Sequence[Tensor] = ()) -> Tensor:
    """Translates a batch of pictures; `given` are the other inputs of the derivation."""
    names = [each.name for each in session.get_inputs()]
    (output,) = session.run(
        None, {name: value.numpy() for name, value in zip(names, (image, *noise, *given), strict=True)}
    )
    return torch.from_numpy(output)
