"""A trained generator with what it needs to take pictures in: read from a run directory or a checkpoint alone."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pix2pix import components
from pix2pix.data.palettes import Palette, visible
from pix2pix.inference import Dropout, InferenceMode, Normalization
from pix2pix.run import Config, Run


@dataclass(frozen=True)
class Trained:
    """A generator on its device, how it is run, and where it came from."""

    config: Config
    generator: nn.Module
    inference: InferenceMode
    checkpoint: Path
    step: int
    device: torch.device

    @property
    def palette(self) -> Palette | None:
        """The palette of the data's label maps, where they have one."""
        return palette_of(self.config)

    def generate(self, source: Tensor, name: str) -> Tensor:
        """Maps source (B, C, H, W) in [-1, 1] to a picture, on the CPU; `name` chooses the dropout noise."""
        output = self.inference.generate(self.generator, source.to(self.device), name).float().cpu()
        return visible(output, self.palette, source.cpu())


def palette_of(config: Config) -> Palette | None:
    """The palette of the data's label maps, where they have one."""
    name = config["data"]["palette"]
    return Palette(name) if name else None


def targets_are_labels(config: Config) -> bool:
    """Whether the data go from photos to label maps."""
    data = config["data"]
    return data["labels"] == ("B" if data["direction"] == "AtoB" else "A")


def load(
    path: str | Path,
    *,
    checkpoint: str = "best",
    device: str = "auto",
    normalization: Normalization | None = None,
    dropout: Dropout | None = None,
    seed: int | None = None,
) -> Trained:
    """Reads the generator of a run; its moving average where the run kept one.

    Args:
        path: a run directory, or a checkpoint file, which carries its configuration.
        checkpoint: of the run: `best`, `last`, `epoch=N`, or a path.
        device: `auto` (a GPU if there is one), `cpu`, `cuda`, `cuda:1`, `mps`.
        normalization: in place of the run's own test-time choice; likewise `dropout` and `seed`.

    Raises:
        FileNotFoundError: when there is no such run or checkpoint.
        ValueError: when the file is no checkpoint of ours, or asks to construct something that is no network.
    """
    file = Path(path) if Path(path).is_file() else _checkpoint_of(Run(path), checkpoint)
    place = _device(device)
    content = _read(file, place)
    config = content["config"]
    found = list(components.problems(config["generator"], "generator", nn.Module))
    if found:
        raise ValueError(f"{file}: its configuration cannot be built: {' '.join(found)}")
    generator = components.build(config["generator"])
    generator.load_state_dict(_generator_state(content["state_dict"]))
    chosen = {"normalization": normalization, "dropout": dropout, "seed": seed}
    inference = InferenceMode(
        **config["inference"] | {key: value for key, value in chosen.items() if value is not None}
    )
    return Trained(config, generator.to(place).eval(), inference, file, content["global_step"], place)


def _checkpoint_of(run: Run, which: str) -> Path:
    run.config()  # says so when this is no run
    return run.checkpoint(which)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device {name!r}: torch sees no CUDA device here. Use cpu or auto.")
    return device


def _read(file: Path, device: torch.device) -> dict[str, Any]:
    try:
        content = torch.load(file, map_location=device, weights_only=True)
    except Exception as error:  # torch raises whatever the bytes happen to provoke
        raise ValueError(
            f"{file}: cannot be read as a checkpoint ({error}). Choose another with --checkpoint."
        ) from error
    if not isinstance(content, dict) or not {"config", "state_dict", "global_step"} <= content.keys():
        raise ValueError(f"{file}: not a checkpoint that `pix2pix train` wrote.")
    return content


def _generator_state(state: dict[str, Tensor]) -> dict[str, Tensor]:
    average = _below("average.module.", state)
    return average or _below("generator.", state)


def _below(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
