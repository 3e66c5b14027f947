"""Loads initial weights from another run or from the authors' implementation (`init_from`)."""

import logging
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from pix2pix.inference import generator
from pix2pix.models.reference_weights import from_reference, read_state_dict
from pix2pix.runs.run import Run

log = logging.getLogger(__name__)

PLAYERS = ("generator", "discriminator")


def load_initial_weights(origin: str, model: nn.Module) -> None:
    """Gives the players of `model` the weights of a run (its best ones), a checkpoint, or a reference `.pth` file.

    What has no counterpart there, or another shape, keeps its own initialisation and is named. Nothing is frozen, and
    the optimizers begin anew.

    Raises:
        FileNotFoundError: when there is nothing at `origin`.
        ValueError: when it holds no weights, or none that fit.
    """
    theirs = _weights(Path(origin), model)
    ours = model.state_dict()
    named = {key: value for key, value in theirs.items() if key.startswith(PLAYERS) and key in ours}
    fitting = {key: value for key, value in named.items() if value.shape == ours[key].shape}
    if not fitting:
        raise ValueError(f"init_from={origin}: none of its {len(theirs)} weights fits these networks.")
    model.load_state_dict(ours | fitting | _average_weights(fitting, ours))
    wanted = [key for key in ours if key.startswith(PLAYERS)]
    log.info("init_from=%s: %d of %d weights taken.", origin, len(fitting), len(wanted))
    for key in wanted:
        if key not in fitting:
            here, there = tuple(ours[key].shape), tuple(theirs[key].shape) if key in named else "nothing"
            log.info("  %s keeps its own initialisation: %s there, %s here", key, there, here)


def _weights(origin: Path, model: nn.Module) -> dict[str, Tensor]:
    if origin.is_dir():
        return generator.read_state(_best_checkpoint(Run(origin)))
    if not origin.is_file():
        raise FileNotFoundError(
            f"init_from={origin}: no such file or directory. Pass a run directory, a checkpoint or a .pth file."
        )
    if origin.suffix == ".pth":
        player = "discriminator" if origin.stem.endswith("_D") else "generator"
        state = from_reference(read_state_dict(origin), model.get_submodule(player))
        return {f"{player}.{key}": value for key, value in state.items()}
    return generator.read_state(origin)


def _best_checkpoint(run: Run) -> Path:
    run.config()  # says so when this is no run
    best, saved = run.checkpoints / "best.ckpt", run.resume_checkpoints()
    if best.is_file():
        return best
    other = f"Begin with its last weights: init_from={saved[0]}" if saved else "It has saved nothing yet."
    raise FileNotFoundError(f"init_from={run.path}: has no best.ckpt, as no epoch of it was validated. {other}")


def _average_weights(fitting: Mapping[str, Tensor], ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A moving average of the weights begins with them, too."""
    averages = {f"average.module.{key.removeprefix('generator.')}": value for key, value in fitting.items()}
    return {key: value for key, value in averages.items() if key in ours}
