"""safetensors: a generator's weights, and the configuration that rebuilds it, in one file that executes nothing."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from pix2pix.configuration import Config
from pix2pix.whole_files import replacing

METADATA = "pix2pix"  # the key of the configuration in the file's metadata


def write_safetensors(path: Path, state: dict[str, Tensor], config: Config, step: int) -> None:
    """Writes a generator's state dict, whole or not at all."""
    about = json.dumps({"config": config, "global_step": step})
    with replacing(path) as part:
        save_file({name: value.contiguous() for name, value in state.items()}, part, metadata={METADATA: about})


def read_safetensors(path: Path) -> dict[str, Any]:
    """What a checkpoint of the same generator holds: `config`, `global_step` and, in float32, `state_dict`."""
    try:
        with safe_open(path, framework="pt") as file:
            about = (file.metadata() or {}).get(METADATA)
            state = {f"generator.{name}": _whole(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path}: cannot be read as safetensors ({error}). Write it again.") from error
    if about is None:
        raise ValueError(f"{path}: holds no configuration; only files of `pix2pix export --format safetensors` do.")
    return json.loads(about) | {"state_dict": state}


def _whole(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value
