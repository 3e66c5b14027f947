"""safetensors: the generator's weights, and the configuration that rebuilds it, in one file that executes nothing."""

import json
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from pix2pix.run import replacing, without_whereabouts
from pix2pix.trained import Trained, load

METADATA = "pix2pix"  # the key of the description in the file's metadata


def export_safetensors(run: str | Path, path: str | Path, *, half: bool = False, **options: Any) -> Trained:
    """Writes the generator's weights, its moving average where the run kept one, with its configuration.

    Args:
        run: a run directory or checkpoint.
        path: of the file.
        half: store the weights in float16; they are float32 again when read.
        options: those of `pix2pix.trained.load`; chosen test-time choices become those of the file.
    """
    trained = load(run, device="cpu", **options)
    config = without_whereabouts(trained.config) | {"inference": vars(trained.inference)}
    about = {"config": config, "global_step": trained.step}
    state = {name: _stored(value, half) for name, value in trained.generator.state_dict().items()}
    with replacing(Path(path)) as part:
        save_file(state, part, metadata={METADATA: json.dumps(about)})
    return trained


def _stored(value: Tensor, half: bool) -> Tensor:
    return (value.half() if half and value.is_floating_point() else value).contiguous()
