"""Decides how the steps of a run are executed, where its settings leave that to the machine.

The fast ways of a GPU are used if a few trial steps with them give the numbers of plain float32. A trial has networks,
optimizers and random numbers of its own, so the run begins as it would without one. What was decided stands in the
run's configuration, and a resumed run keeps it.
"""

import gc
import logging
import math
import tempfile
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.exceptions import SIGTERMException
from pytorch_lightning.utilities.seed import isolate_rng
from torch import Tensor
from torch.utils.data import DataLoader

from pix2pix.config.hardware import has_fast_bf16
from pix2pix.config.identity import LEFT_OPEN
from pix2pix.config.rules import find_graph_obstacles
from pix2pix.config.schema import CONSTANT, RunConfig
from pix2pix.config.step_rules import find_changing_steps, has_norm
from pix2pix.core.instantiate import TARGET, Component, locate_factory
from pix2pix.core.trusted_modules import foreign_modules
from pix2pix.data.datamodule import PairDataModule
from pix2pix.data.pair import Pair
from pix2pix.runs.run import Run
from pix2pix.training.build import build_model, build_trainer
from pix2pix.training.cuda_graph import HOOKS_WITHIN_STEP, WARM_UP
from pix2pix.training.fit import TERMINATED
from pix2pix.training.messages import silence_lightning

log = logging.getLogger(__name__)

PLAIN: Mapping[str, Any] = {"precision": 32, "cuda_graph": False, "channels_last": False}
COMPARED_STEPS = 2  # the last ones of a trial; with the graph these are replays
TOLERANCE = 0.1  # relative; two trainings with the fastest kernels differ by up to 0.024 after thirty steps
SMALL = 0.1  # losses below it are compared as if they were so large

Numbers = dict[str, float]
Trial = Callable[[Mapping[str, Any]], Numbers]
"""Trains a few steps with these decisions. Raises RuntimeError if the device refuses."""


def decide_execution(config: RunConfig, run: Run, data: PairDataModule) -> RunConfig:
    """The configuration with decisions in place of `auto`: those that the run has, or what this machine does best.

    Args:
        config: the configuration of a training that is about to begin.
        run: its directory.
        data: its pairs, of which trial steps read the first batch.

    Raises:
        ValueError, OSError: for a pair that cannot be read.
    """
    open_settings = {name for name, value in _settings(config).items() if value in LEFT_OPEN}
    if not open_settings:
        return config
    if config.resume != "never" and run.resume_checkpoints():
        decided = _keep_recorded(_settings(run.config()), config)
    else:
        decided = _choose_here(config, open_settings, data)
    return decide(config, {name: decided[name] for name in open_settings})


def decide(config: RunConfig, decisions: Mapping[str, Any]) -> RunConfig:
    """The configuration with these decisions; the others stay."""
    decisions = dict(decisions)
    precision = decisions.pop("precision", config.precision)
    trainer = config.trainer if precision in LEFT_OPEN else config.trainer | {"precision": precision}
    return config.replace(precision=precision, trainer=trainer, execution=config.execution.replace(**decisions))


def _settings(config: RunConfig) -> dict[str, Any]:
    execution = config.execution
    return {
        "precision": config.precision,
        "cuda_graph": execution.cuda_graph,
        "channels_last": execution.channels_last,
    }


def _keep_recorded(recorded: Mapping[str, Any], config: RunConfig) -> dict[str, Any]:
    """What a run has decided, without a graph where this machine cannot record one."""
    kept = dict(recorded)
    if kept["precision"] in LEFT_OPEN:  # of an earlier version, which decided by the processor in every session
        kept["precision"] = _fast_precision(config)
    if kept["cuda_graph"] and find_graph_obstacles(config):
        log.info("The run continues without a CUDA graph, which cannot be recorded here.")
        kept["cuda_graph"] = False
    return kept


def _choose_here(config: RunConfig, open_settings: set[str], data: PairDataModule) -> dict[str, Any]:
    """What this machine does best, as trial steps on the first batch show; plain steps where it offers nothing."""
    decided = dict(PLAIN)
    if offers := {name: value for name, value in list_offers(config).items() if name in open_settings}:
        # In trials everything is plain that is open; what the user has set is set in them, too.
        base = decide(config, {name: PLAIN[name] for name in open_settings})
        decided |= choose(offers, partial(_try, base, data.first_batch()))
    elif config.precision == "auto":
        decided["precision"] = _fast_precision(config)
    return decided


def _fast_precision(config: RunConfig) -> Any:
    return "bf16-mixed" if has_fast_bf16(config.hardware_here()["accelerator"]) else PLAIN["precision"]


def list_offers(config: RunConfig) -> dict[str, Any]:
    """What may be faster on this machine: nothing on the CPU, nor for several processes, which would have to agree."""
    if config.hardware_here()["accelerator"] not in {"gpu", "cuda"} or not config.is_single_process:
        return {}
    offers: dict[str, Any] = {}
    if has_fast_bf16("gpu"):
        offers["precision"] = "bf16-mixed"
    # Instance norm has no kernel for channels_last: each would copy its input twice.
    if not any(has_norm(network, "instance") for network in (config.generator, config.discriminator)):
        offers["channels_last"] = True
    if _repeats_one_step(config):
        offers["cuda_graph"] = True
    return offers


def _repeats_one_step(config: RunConfig) -> bool:
    """Whether a graph can be recorded, and no code of other packages may do something else in a later step.

    No trial would show that.
    """
    parts = [config.generator, config.discriminator, config.objective, config.training_step]
    obstacles = [*find_graph_obstacles(config), *find_changing_steps(config), *foreign_modules(parts)]
    return config.data.has_one_size and not obstacles and not any(map(_acts_within_step, config.callbacks.values()))


def _acts_within_step(callback: Component) -> bool:
    """Whether a user's callback has a hook within the step; those of this package are judged by their settings."""
    if callback[TARGET].startswith("pix2pix."):
        return False
    kind = locate_factory(callback[TARGET])
    # Lightning's LambdaCallback takes its hooks as arguments.
    return any(
        name in callback or getattr(kind, name, None) is not getattr(pl.Callback, name) for name in HOOKS_WITHIN_STEP
    )


def choose(offers: Mapping[str, Any], trial: Trial) -> dict[str, Any]:
    """The offers that agree with plain steps, tried one on top of the other. Logs the choice."""
    try:
        plain = trial({})
    except RuntimeError:  # the training will meet it, too, and say what to do
        return {}
    chosen, largest = dict[str, Any](), 0.0
    for name, value in offers.items():
        difference, reason = _compare(plain, trial, chosen | {name: value})
        if difference <= TOLERANCE:
            chosen, largest = chosen | {name: value}, difference
        else:
            log.warning("Not used on this GPU, as trial steps show: %s: %s.", _format({name: value}), reason)
    if chosen:
        log.info(
            "Chosen for this GPU: %s. Trial steps agree with plain ones within %.1g %%.", _format(chosen), 100 * largest
        )
    return chosen


def _format(decisions: Mapping[str, Any]) -> str:
    names = {name: name if name == "precision" else f"execution.{name}" for name in decisions}
    return " ".join(f"{names[name]}={str(value).lower()}" for name, value in decisions.items())


def _compare(plain: Numbers, trial: Trial, decisions: Mapping[str, Any]) -> tuple[float, str]:
    """The largest relative difference of the trial's numbers from plain ones, and where it is."""
    try:
        numbers = trial(decisions)
    except RuntimeError as error:
        return math.inf, str(error).partition("\n")[0].rstrip(".")
    differences = {name: abs(numbers[name] - value) / max(abs(value), SMALL) for name, value in plain.items()}
    # A number that is not finite differs from everything.
    worst = max(differences, key=lambda name: differences[name] if math.isfinite(differences[name]) else math.inf)
    largest = differences[worst] if math.isfinite(differences[worst]) else math.inf
    return largest, f"{worst} is {numbers[worst]:.4g} instead of {plain[worst]:.4g}"


def _try(base: RunConfig, batch: Pair, decisions: Mapping[str, Any]) -> Numbers:
    """Trains new networks on one batch for a few steps, as a training does, and leaves nothing behind."""
    steps = WARM_UP + COMPARED_STEPS
    config = decide(base, decisions)
    # Lightning's trial run: without limits, validation and loggers. A constant rate: schedules depend on the length.
    # cuDNN's search for the fastest kernels would take longer than the steps: seconds for each way that is tried.
    trial = {"fast_dev_run": steps, "overfit_batches": 0.0, "max_time": None, "profiler": None, "benchmark": False}
    config = config.replace(
        callbacks={}, logger={}, trainer=config.trainer | trial, schedule={TARGET: CONSTANT}, resume="auto"
    )
    with isolate_rng(), tempfile.TemporaryDirectory() as folder, silence_lightning():
        warnings.filterwarnings("ignore", ".*have no `val_dataloader`.*")
        model, trainer = build_model(config), build_trainer(config, Run(Path(folder) / "run"))
        recorder = TrialNumbers()
        trainer.callbacks.append(recorder)  # pyright: ignore[reportAttributeAccessIssue]
        try:
            trainer.fit(model, DataLoader([batch] * steps, batch_size=None))  # pyright: ignore[reportArgumentType]
            if model.graph_step is not None and model.graph_step.recorded_shapes is None:
                raise RuntimeError("the step could not be recorded")
            return recorder.numbers
        except SIGTERMException as cause:  # by itself it would end the program as if all were done
            raise SystemExit(TERMINATED) from cause
        finally:
            del model, trainer
            gc.collect()  # a module and its trainer refer to each other
            torch.cuda.empty_cache()  # for the training; does nothing where no GPU was used


class TrialNumbers(pl.Callback):
    """Keeps what trial steps are judged by: the losses of the last ones, and how far the weights have moved."""

    def __init__(self) -> None:
        self.numbers: Numbers = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keeps the weights of the beginning."""
        self.before = {name: _copy(network) for name, network in _networks(pl_module)}

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Reads the losses. That waits for the device, so a fault in a kernel shows here."""
        if batch_idx >= WARM_UP:
            losses = {f"{name} of step {batch_idx + 1}": float(loss) for name, loss in outputs["losses"].items()}
            self.numbers |= losses

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measures how far the weights have moved: a replay that updates nothing would not show in its losses."""
        for name, network in _networks(pl_module):
            moved = [after - before for after, before in zip(_copy(network), self.before[name], strict=True)]
            self.numbers[f"the change of the {name}"] = float(torch.nn.utils.get_total_norm(moved))


def _networks(module: pl.LightningModule) -> list[tuple[str, torch.nn.Module]]:
    return [(name, child) for name, child in module.named_children() if name in {"generator", "discriminator"}]


def _copy(network: torch.nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in network.parameters()]
