"""Reads weights from checkpoints and `.safetensors` files without executing code, and writes the latter.

A file also holds the configuration that rebuilds its generator. Reading constructs nothing; `pix2pix.core.trust` checks
the configuration before anything is built from it.
"""

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from pix2pix.config.saved import config_in_weights
from pix2pix.core.atomic_files import atomic_file, flush_to_disk
from pix2pix.core.integrity import describe_unreadable, require_intact

METADATA = "pix2pix"  # the key of the configuration in the file's metadata
SUM = "sha256"  # the key of the checksum in it; files of version 0.1.0 have none


def read_weights(file: Path) -> dict[str, Any]:
    """The content of a file of weights: `config`, `global_step` and `state_dict`, checked before it is returned.

    The tensors of a checkpoint are mapped from the file, so those that nobody uses, such as the states of optimizers,
    take no memory.

    Raises:
        ValueError: for a file that is damaged, or holds something else.
    """
    content = read_safetensors(file) if file.suffix == ".safetensors" else _read_checkpoint(file)
    if not isinstance(content, Mapping) or not {"config", "state_dict", "global_step"} <= content.keys():
        raise ValueError(f"{file}: not a checkpoint that `pix2pix train` wrote.")
    if not isinstance(content["global_step"], int):
        raise ValueError(f"{file}: global_step={content['global_step']!r} is no number of steps. Copy the file again.")
    _require_tensors(file, content["state_dict"])
    return dict(content) | {"config": config_in_weights(content["config"], file)}


def _read_checkpoint(file: Path) -> Any:
    """The tensors and plain values of any checkpoint. Raises ValueError if the file is damaged or no checkpoint."""
    require_intact(file)
    try:
        return torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
    except Exception as error:  # torch raises whatever the bytes happen to provoke
        raise ValueError(
            f"{file}: cannot be read as a checkpoint ({describe_unreadable(file, error)}). Choose another."
        ) from error


def _require_tensors(file: Path, state: Any) -> None:
    named = isinstance(state, Mapping) and all(isinstance(name, str) for name in state)
    if not named or not all(_is_complete_tensor(value) for value in state.values()):
        raise ValueError(f"{file}: its state_dict is no mapping of names to tensors. Copy the file again.")


def _is_complete_tensor(value: Any) -> bool:
    """Whether it is a dense tensor with storage for all of its values."""
    if not isinstance(value, Tensor) or value.layout is not torch.strided or value.is_meta or value.is_quantized:
        return False
    return value.untyped_storage().nbytes() >= value.nbytes


def write_safetensors(path: Path, state: dict[str, Tensor], config: Mapping[str, Any], step: int) -> None:
    """Writes a generator's state dict atomically, with a checksum of it and of the configuration."""
    # Safetensors refuses views and weights of two names, and stores what it is given: all on the CPU.
    tensors: dict[str, Tensor] = {}
    stored: set[int] = set()
    for name, value in state.items():
        tensor = value.contiguous().cpu()
        tensors[name] = tensor.clone() if tensor.untyped_storage().data_ptr() in stored else tensor
        stored.add(tensor.untyped_storage().data_ptr())
    about = {"config": config, "global_step": step}
    # To memory first: for a disk that refuses, the library raises an error without number and file.
    content = save(tensors, metadata={METADATA: json.dumps(about | {SUM: _digest(about, tensors)})})
    with atomic_file(path) as part, part.open("wb") as file:
        file.write(content)
        flush_to_disk(file)


def read_safetensors(path: Path) -> dict[str, Any]:
    """The same content as in a checkpoint: `config`, `global_step` and, in float32, `state_dict`."""
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(METADATA)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, RuntimeError) as error:
        raise ValueError(f"{path}: cannot be read as safetensors ({error}). Write it again.") from error
    about = _parse_metadata(path, text)
    if (known := about.pop(SUM, None)) is not None and known != _digest(about, tensors):
        raise ValueError(
            f"{path}: is damaged: its checksum differs from the one that was written. Copy the file again."
        )
    floats = {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}
    return about | {"state_dict": {f"generator.{name}": value for name, value in floats.items()}}


def _parse_metadata(path: Path, text: str | None) -> dict[str, Any]:
    """The configuration and step in the metadata. Raises ValueError if they are missing or damaged."""
    try:
        about = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: its configuration cannot be read ({error}). Copy the file again.") from error
    if not isinstance(about, dict) or not {"config", "global_step"} <= about.keys():
        raise ValueError(f"{path}: holds no configuration; only files of `pix2pix export --format safetensors` do.")
    return about


def _digest(about: dict[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """The SHA-256 of the configuration and of all tensors, in the order of their names."""
    # Name, type and shape of each tensor before its bytes: equal bytes in another shape are another file.
    result = hashlib.sha256(json.dumps(about).encode())
    for name in sorted(tensors):
        value = tensors[name]
        result.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        result.update(value.detach().reshape(-1).view(torch.uint8).numpy().data)
    return result.hexdigest()
