"""Loads initial weights from another run or from the authors' implementation (`init_from`)."""

import logging
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from pix2pix.config.schema import NETWORKS
from pix2pix.inference import generator
from pix2pix.models.reference_weights import convert_reference_weights, read_state_dict
from pix2pix.runs.run import Run

log = logging.getLogger(__name__)


def load_initial_weights(origin: str, model: nn.Module) -> None:
    """Loads the weights of a run (its last ones), a checkpoint or a reference `.pth` file into the networks of `model`.

    Weights that are missing there or have another shape keep their initialisation and are logged. Nothing is frozen,
    and the optimizers start afresh.

    Raises:
        FileNotFoundError: if `origin` does not exist.
        ValueError: if it holds no weights, or none that fit.
    """
    loaded, own = _read_state(Path(origin), model), model.state_dict()
    # Weights of the same name, and of these those of the same shape.
    shared = {key: value for key, value in loaded.items() if key.startswith(NETWORKS) and key in own}
    fitting = {key: value for key, value in shared.items() if value.shape == own[key].shape}
    if not fitting:
        raise ValueError(f"init_from={origin}: none of its {len(loaded)} weights fits these networks.")
    model.load_state_dict(own | fitting | _average_weights(fitting, own))
    wanted = [key for key in own if key.startswith(NETWORKS)]
    log.info("init_from=%s: %d of %d weights taken.", origin, len(fitting), len(wanted))
    for key in wanted:
        if key not in fitting:
            here, there = tuple(own[key].shape), tuple(loaded[key].shape) if key in shared else "nothing"
            log.info("  %s keeps its own initialisation: %s there, %s here", key, there, here)


def _read_state(origin: Path, model: nn.Module) -> dict[str, Tensor]:
    if origin.is_dir():
        return generator.read_state(_last_checkpoint(Run(origin)))
    if not origin.is_file():
        raise FileNotFoundError(
            f"init_from={origin}: no such file or directory. Pass a run directory, a checkpoint or a .pth file."
        )
    if origin.suffix == ".pth":
        # The reference names its files latest_net_G.pth and latest_net_D.pth.
        network = "discriminator" if origin.stem.endswith("_D") else "generator"
        state = convert_reference_weights(read_state_dict(origin), model.get_submodule(network))
        return {f"{network}.{key}": value for key, value in state.items()}
    return generator.read_state(origin)


def _last_checkpoint(run: Run) -> Path:
    run.config()  # raises if this is not a run
    if run.last_checkpoint.is_file():
        return run.last_checkpoint
    others = sorted(run.checkpoints.glob("*.ckpt"))
    remedy = f"Begin with another of its checkpoints: init_from={others[0]}" if others else "It has saved nothing yet."
    raise FileNotFoundError(f"init_from={run.path}: has no last.ckpt. {remedy}")


def _average_weights(fitting: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The generator's weights under the names of their moving average, which starts with them, too."""
    averages = {f"average.module.{key.removeprefix('generator.')}": value for key, value in fitting.items()}
    return {key: value for key, value in averages.items() if key in own}
