"""Rebuilds the LightningModule of a checkpoint, for use from Python."""

import dataclasses
from pathlib import Path

from torch import nn
from torch.optim import Optimizer

from pix2pix.config.metric_names import PairMetric
from pix2pix.config.schema import RunConfig
from pix2pix.core.instantiate import Component
from pix2pix.core.trust import Trust, require_trusted
from pix2pix.inference.generator import select_prefix
from pix2pix.inference.rebuild import build_network
from pix2pix.models.objective import Objective
from pix2pix.models.schedules import Schedule
from pix2pix.models.step_interface import TrainingStep
from pix2pix.runs.weight_files import read_weights
from pix2pix.training.build import build_module
from pix2pix.training.module import Pix2Pix


def load_module(file: Path, trust: Trust = ()) -> Pix2Pix:
    """The module of a checkpoint of `pix2pix train`; see `Pix2Pix.load_from_checkpoint`."""
    content = read_weights(file)
    config: RunConfig = content["config"]
    state = content["state_dict"]
    _require_trusted(config, file, trust)

    def load_network(node: Component, key: str) -> nn.Module:
        return build_network(node, key, select_prefix(f"{key}.", state), file, trust)

    generator = load_network(config.generator, "generator")
    discriminator = load_network(config.discriminator, "discriminator") if config.discriminator else None
    module = build_module(config, generator, discriminator)
    module.load_state_dict(state)
    # The run chose a graph for its own device and trainer, and those of the caller may be others.
    module.execution = dataclasses.replace(module.execution, cuda_graph=False)
    return module


def _require_trusted(config: RunConfig, file: Path, trust: Trust) -> None:
    """Raises UntrustedError for a loss, step, schedule, metric or optimizer of a module that is not trusted."""
    require_trusted(config.objective, "objective", Objective, source=file, trust=trust)
    require_trusted(config.training_step, "training_step", TrainingStep, source=file, trust=trust)
    for name, schedule in config.schedules.items():
        require_trusted(schedule, f"schedule.{name}", Schedule, source=file, trust=trust)
    for name, metric in config.metrics.items():
        require_trusted(metric, f"metrics.{name}", PairMetric, source=file, trust=trust)
    # The configurations of this package name torch's own optimizers.
    modules = ["torch.optim", *([trust] if isinstance(trust, str) else trust)]
    for name, factory in config.trained_optimizers.items():
        require_trusted(factory, f"optimizer.{name}", Optimizer, source=file, trust=modules, factories=True)
