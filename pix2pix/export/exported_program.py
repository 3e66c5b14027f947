"""Exports the generator as a PyTorch exported program (`.pt2`), for Python or C++ without this package."""

import io
import json
import warnings
from pathlib import Path
from typing import Any

import torch

from pix2pix.core.atomic_files import atomic_file
from pix2pix.export.graph import InferenceGraph, Pixels, describe, dynamic_shapes
from pix2pix.export.parity import Difference, measure_difference, require_agreement
from pix2pix.inference.generator import load_generator

METADATA = "pix2pix.json"  # the extra file in the archive


def export_program(
    run: str | Path,
    path: str | Path,
    *,
    pixels: Pixels = "uint8",
    half: bool = False,
    derive: bool = True,
    **options: Any,
) -> tuple[dict[str, Any], Difference]:
    """Writes the generator of a run as a `torch.export` program. Arguments, results and errors: see `export_onnx`.

    `torch.export.load(path).module(check_guards=False)(image, noise)` runs it: torch's guards reject sides of one
    `multiple`, which are checked here. The archive holds the description as `pix2pix.json`.
    """
    trained = load_generator(run, device="cpu", **options)
    graph = InferenceGraph(trained, pixels=pixels, half=half, derive=derive).eval()
    description = describe(trained, graph)
    with warnings.catch_warnings(), atomic_file(Path(path)) as part:
        warnings.simplefilter("ignore")  # deprecations within torch
        program = torch.export.export(graph, graph.example(2, 2, 3), dynamic_shapes=dynamic_shapes(graph))
        archive = io.BytesIO()  # torch ends the whole process where a disk refuses
        torch.export.save(program, archive, extra_files={METADATA: json.dumps(description)})
        part.write_bytes(archive.getbuffer())
        with part.open("rb") as file:
            module = torch.export.load(file).module(check_guards=False)
        with torch.no_grad():
            difference = measure_difference(lambda image, *given: module(image, *map(list, given)), trained, graph)
        require_agreement(difference, graph)
    return description, difference
