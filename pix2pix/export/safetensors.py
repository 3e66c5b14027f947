"""Exports the generator's weights and configuration to safetensors."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pix2pix.config.identity import hide_local_paths
from pix2pix.inference.generator import TrainedGenerator, load_generator
from pix2pix.runs.weight_files import write_safetensors

HALF_MAX = torch.finfo(torch.float16).max


def export_safetensors(run: str | Path, path: str | Path, *, half: bool = False, **options: Any) -> None:
    """Writes the generator's weights (its moving average if the run kept one) with its configuration.

    Args:
        run: a run directory or checkpoint.
        path: the file to write.
        half: store the weights in float16; they are converted to float32 when read.
        options: options of `pix2pix.inference.generator.load_generator`; test-time settings among them are stored
            in the file.
    """
    trained = load_generator(run, device="cpu", **options)
    config = hide_local_paths(trained.config.to_mapping()) | {"inference": vars(trained.inference)}
    write_safetensors(Path(path), generator_weights(trained, half), config, trained.step)


def generator_weights(trained: TrainedGenerator, half: bool) -> dict[str, Tensor]:
    """The weights of the generator, in float16 if `half`. Raises ValueError for a weight that float16 cannot hold."""
    state = trained.generator.state_dict()
    weights = {name: value.half() if half and value.is_floating_point() else value for name, value in state.items()}
    for name, value in weights.items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise ValueError(f"generator.{name} has values beyond {HALF_MAX:g}, the largest of 16 bits. Omit --half.")
    return weights
