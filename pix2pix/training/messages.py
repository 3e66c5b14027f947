"""What a training tells its user: what is trained and where, what would help; and none of Lightning's hints."""

import contextlib
import logging
import math
import shlex
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from lightning_fabric.utilities.warnings import PossibleUserWarning
from torch import nn

from pix2pix.config.hardware import describe_hardware
from pix2pix.config.schema import RunConfig
from pix2pix.data.direction import SIDES, Side, letter_of
from pix2pix.data.images.class_numbers import advise_on_classes, count_classes, highest_class
from pix2pix.data.pair import Pair, PairSource
from pix2pix.data.settings import DataSettings
from pix2pix.models import UNet
from pix2pix.models.input_sizes import suggest_sizes
from pix2pix.runs.run import Run
from pix2pix.training.build import is_of_this_package

log = logging.getLogger(__name__)

NOTHING_TO_DO = (
    "%s is finished; nothing to do. To train it longer, set a larger trainer.max_epochs or max_steps. For another "
    "run, choose another name: name=..."
)
SAMPLES = 8  # pairs that are looked at before a training


def announce_training(run: Run, config: RunConfig, checkpoint: Path | None) -> None:
    """Logs what is trained, from which checkpoint, and on which device."""
    if checkpoint is not None:
        log.info("%s is unfinished: resuming from %s", run.path, checkpoint)
    else:
        log.info("Training %s (%s; %s).", run.path, config.data.description, _describe_length(config))
    # TF32 is what every GPU does by default, and no CPU.
    ways = [f"execution.{name}=true" for name, value in config.execution if value is True and name != "tf32"]
    log.info("It runs on %s.", ", ".join([describe_hardware(config.hardware_here(), config.precision), *ways]))


def announce_data(pairs: PairSource) -> None:
    """Logs which pairs were found, and warns of what was left out or looks wrong."""
    for number, line in enumerate(pairs.describe()):
        log.log(logging.WARNING if number else logging.INFO, "%s", line)


def announce_own_weights(generator: nn.Module, discriminator: nn.Module | None) -> None:
    """Logs which networks come from other packages. These keep the weights that their constructors draw."""
    for role, network in (("generator", generator), ("discriminator", discriminator)):
        if network is not None and not is_of_this_package(network):
            name = type(network).__qualname__
            log.info("The %s, %s, begins with the weights that it is constructed with.", role, name)


def _describe_length(config: RunConfig) -> str:
    epochs, steps = config.limits
    length = [f"max_epochs={epochs}"] * (not math.isinf(epochs)) + [f"max_steps={steps}"] * (not math.isinf(steps))
    return " ".join(length) or "without end"


def advise_on_size(generator: nn.Module, config: RunConfig) -> None:
    """Warns of a size that leaves a U-Net shallow."""
    found = suggest_sizes(config.data.height, config.data.width)
    if found and isinstance(generator, UNet) and not generator.pad_to_multiple:
        log.warning(found)


def advise_on_class_numbers(pairs: Sequence[Pair], data: DataSettings) -> None:
    """Warns where the images of a few pairs seem to be label maps that are read as pictures."""
    ranges = {"source": data.coded_source_range, "target": data.coded_target_range}
    sides: list[Side] = [side for side in SIDES if ranges[side] is None and side != data.label_map_side]
    samples = _read_samples(pairs) if sides else []
    for side in sides:
        classes = count_classes([highest_class(pair.images[SIDES.index(side)].numpy()) for pair in samples])
        if classes is not None:
            found, remedy = advise_on_classes(classes, letter_of(side, data.direction))
            levels = f"If they are levels of grey, set data.{side}_range=[0,{classes - 1}]."
            log.warning("%s. %s %s", found[0].upper() + found[1:], remedy, levels)


def _read_samples(pairs: Sequence[Pair]) -> list[Pair]:
    """A few pairs, spread evenly; one that cannot be read is named when its turn comes."""
    samples = []
    for index in range(0, len(pairs), -(-len(pairs) // SAMPLES)):
        with contextlib.suppress(ValueError, OSError):
            samples.append(pairs[index])
    return samples


def out_of_memory_message(config: RunConfig, error: Exception) -> str:
    """The message that memory ran out, with the settings that need less."""
    data, reason = config.data, str(error).splitlines()[0] if str(error) else "the system gives no more"
    return (
        f"out of memory with data.batch_size={data.batch_size} at {data.height}x{data.width} ({reason}). "
        "What was saved is kept. Under another name, lower data.batch_size, data.size or generator.base_channels, or "
        "set precision=bf16-mixed."
    )


def announce_checkpoints(run: Run, best: Mapping[str, float]) -> None:
    """Logs which epoch `last.ckpt` and `best.ckpt` hold, why the best one was chosen, and which of them is the default.

    Args:
        run: a finished run.
        best: the best value of the metric that chose `best.ckpt`.
    """
    if not run.last_checkpoint.is_file():
        return
    (last, last_step), best_file = _read_moment(run.last_checkpoint), run.checkpoints / "best.ckpt"
    log.info("%s (epoch %d) is what evaluate, translate, demo and export load.", run.last_checkpoint, last)
    if not best or not best_file.is_file():
        log.info("There is no best.ckpt: no epoch was validated by a metric that chooses it.")
        return
    (epoch, step), (metric, value) = _read_moment(best_file), next(iter(best.items()))
    which = f"epoch {epoch}" if epoch != last else "the same epoch" if step == last_step else f"step {step} of it"
    log.info("best.ckpt is %s: %s %.4g. Load it with --checkpoint best.", which, metric, value)


def announce_end(run: Run) -> None:
    """Logs what can be done with a finished run."""
    if run.last_checkpoint.is_file():
        log.info("Finished. Look at %s, or run: pix2pix evaluate %s", run.path / "samples", shlex.quote(str(run.path)))
    else:
        log.info("Finished. %s keeps no weights, as it has no callbacks.checkpoint.", run.path)


def _read_moment(checkpoint: Path) -> tuple[int, int]:
    """The epoch of a checkpoint, counted from 1, and its step; the weights are not read."""
    content = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
    return content["epoch"] + 1, content["global_step"]


@contextlib.contextmanager
def silence_lightning() -> Iterator[None]:
    """Hides messages of Lightning that users cannot act on. After the block, warnings are as before."""
    # Tips, and the table of devices, which `announce_training` says in one line.
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    for asked_for in ("profilers", "callbacks.model_summary"):
        logging.getLogger(f"pytorch_lightning.{asked_for}").setLevel(logging.INFO)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*does not have many workers.*", PossibleUserWarning)
        warnings.filterwarnings("ignore", ".*is smaller than the logging interval.*", PossibleUserWarning)
        warnings.filterwarnings("ignore", ".*callbacks used to create the checkpoint.*", UserWarning)
        warnings.filterwarnings("ignore", ".*exists and is not empty.*", UserWarning)
        # `fit` looks for a checkpoint of Slurm's own, whatever `cluster.py` has told the trainer.
        warnings.filterwarnings("ignore", ".*`srun` command is available.*", PossibleUserWarning)
        warnings.filterwarnings("ignore", ".*in eval mode at the start of training.*", PossibleUserWarning)
        warnings.filterwarnings("ignore", ".*LeafSpec.*")
        yield
