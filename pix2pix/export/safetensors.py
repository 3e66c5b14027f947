"""Exports the generator's weights and configuration to safetensors."""

from pathlib import Path
from typing import Any

from pix2pix.config.identity import without_whereabouts
from pix2pix.inference.generator import load_generator
from pix2pix.runs.safetensors import write_safetensors


def export_safetensors(run: str | Path, path: str | Path, *, half: bool = False, **options: Any) -> None:
    """Writes the generator's weights, its moving average where the run kept one, with its configuration.

    Args:
        run: a run directory or checkpoint.
        path: of the file.
        half: store the weights in float16; they are float32 again when read.
        options: those of `pix2pix.inference.generator.load`; chosen test-time choices become those of the file.
    """
    trained = load_generator(run, device="cpu", **options)
    config = without_whereabouts(trained.config) | {"inference": vars(trained.inference)}
    state = trained.generator.state_dict()
    stored = {name: value.half() if half and value.is_floating_point() else value for name, value in state.items()}
    write_safetensors(Path(path), stored, config, trained.step)
