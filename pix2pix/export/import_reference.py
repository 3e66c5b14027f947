"""Makes a run directory from weights of the authors' PyTorch implementation."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from torch import Tensor

from pix2pix.config import compose
from pix2pix.config.check import parse_and_check
from pix2pix.config.schema import RunConfig
from pix2pix.core import instantiate
from pix2pix.core.atomic_files import atomic_dir, write_text_atomic
from pix2pix.core.checksums import file_sha256
from pix2pix.models.reference_architecture import recognise_discriminator, recognise_generator, training_size
from pix2pix.models.reference_weights import convert_reference_weights, read_state_dict
from pix2pix.runs.checkpoints import AtomicCheckpointIO, link_checkpoint
from pix2pix.runs.run import Run

FIND_ARGUMENTS = {"generator": recognise_generator, "discriminator": recognise_discriminator}


def import_reference(
    file: Path,
    settings: Sequence[str] = (),
    *,
    discriminator: Path | None = None,
    name: str | None = None,
    about: Mapping[str, Any] | None = None,
) -> Run:
    """Makes a finished run from `latest_net_G.pth`; the network options are derived from the tensors.

    Args:
        file: the generator's weights; loaded with `weights_only=True`.
        settings: settings as for `pix2pix train`, such as data set, direction and size.
        discriminator: `latest_net_D.pth`, for further training.
        name: name of the run; default: the name of the file's folder.
        about: further entries of the provenance, such as address and terms.

    Raises:
        FileNotFoundError: when a file does not exist.
        ValueError: for other weights, settings that do not fit them, or a run directory that is not empty.
    """
    files = {"generator": file} | ({"discriminator": discriminator} if discriminator else {})
    weights = {role: read_state_dict(path) for role, path in files.items()}
    parts = {role: FIND_ARGUMENTS[role](state) for role, state in weights.items()}
    state = {key: value for role in parts for key, value in _load_part(role, parts[role], weights[role]).items()}
    config = _make_config(parts, [f"name={quote(name or file.resolve().parent.name)}", *settings])
    run = Run(config.run_dir)
    if run.path.exists() and (not run.path.is_dir() or any(run.path.iterdir())):
        raise ValueError(f"{run.path}: exists already. Choose another --name.")
    with atomic_dir(run.path) as part:
        _write(Run(part), config, state, _provenance(files, about or {}))
    return run


def quote(value: str) -> str:
    """Quotes a text so that Hydra takes it literally."""
    return json.dumps(value, ensure_ascii=False)


def _load_part(role: str, part: dict[str, Any], weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Converts the weights to the names of this package, and checks them by loading."""
    network = instantiate.build(part)
    network.load_state_dict(convert_reference_weights(weights, network))
    return {f"{role}.{key}": value for key, value in network.state_dict().items()}


def _make_config(parts: dict[str, dict[str, Any]], settings: Sequence[str]) -> RunConfig:
    generator = parts["generator"]
    channels = f"data.source_channels={generator['in_channels']}", f"data.target_channels={generator['out_channels']}"
    data = [] if any(word.startswith("data=") for word in settings) else ["data=folder", "data.path=pairs"]
    words = [*data, f"data.size={training_size(generator)}", *channels, *settings]
    if "discriminator" in parts:
        is_conditional = parts["discriminator"]["in_channels"] != generator["out_channels"]
        words.append(f"objective.conditional={is_conditional}")
    return parse_and_check(compose.compose_settings(words) | parts)


def _provenance(files: Mapping[str, Path], about: Mapping[str, Any]) -> dict[str, Any]:
    sources = {role: {"file": str(path), "sha256": file_sha256(path)} for role, path in files.items()}
    return {"finished": True, "imported": sources | dict(about)}


def _write(run: Run, config: RunConfig, state: dict[str, Tensor], provenance: dict[str, Any]) -> None:
    checkpoint = {"config": config.to_mapping(), "state_dict": state, "global_step": 0, "epoch": 0}
    disk = AtomicCheckpointIO()
    disk.save_checkpoint(checkpoint, run.checkpoints / "best.ckpt")
    if disk.error:
        raise disk.error
    link_checkpoint(run.checkpoints / "best.ckpt", run.last_checkpoint)
    write_text_atomic(run.provenance_file, json.dumps(provenance, indent=2) + "\n")
    write_text_atomic(run.config_file, yaml.safe_dump(config.to_mapping(), sort_keys=False))
