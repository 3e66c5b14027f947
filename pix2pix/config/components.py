"""Which class each component of a configuration must be, and whether its arguments fit the class."""

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import Logger
from torch import nn

from pix2pix.config.identity import flatten
from pix2pix.config.metric_names import PairMetric, find_missing_direction
from pix2pix.core import instantiate, trust, trusted_modules
from pix2pix.data.pair import PairSource
from pix2pix.data.transforms import PairTransform
from pix2pix.models.objective import Objective
from pix2pix.models.schedules import Schedule
from pix2pix.models.step_interface import TrainingStep

KINDS: dict[str, type] = {
    "data.source": PairSource,
    "data.transform": PairTransform,
    "generator": nn.Module,
    "discriminator": nn.Module,
    "objective": Objective,
    "training_step": TrainingStep,
    "optimizer.generator": torch.optim.Optimizer,
    "optimizer.discriminator": torch.optim.Optimizer,
    "schedule": Schedule,
    "trainer": pl.Trainer,
    "metrics": PairMetric,
    "callbacks": pl.Callback,
    "logger": Logger,
}
"""The class that each component must derive from. The signature of the class that is named says the rest."""

COMPLETED = {torch.optim.Optimizer, pl.Trainer, pl.Callback, Logger}
"""The kinds to which a training gives further arguments."""


def find_problems_of_components(settings: Mapping[str, Any]) -> Iterator[str]:
    """Yields a sentence for each problem of the classes that a configuration names, and of their arguments."""
    for path, component, kind in _find_components(settings):
        yield from instantiate.find_component_problems(component, path, kind, is_complete=kind not in COMPLETED)
        if kind is PairMetric:
            yield from find_missing_direction(component, path)


def require_trusted_config(settings: Mapping[str, Any], source: Path) -> None:
    """Raises UntrustedError for a `config.yaml` of a run that holds what no training of pix2pix writes.

    It may come from someone else. So `pix2pix.core.trust` checks its classes before Hydra reads it. Optimizers of
    torch and parts of Lightning are allowed there.
    """
    # Keys and references that Hydra would follow in a primary configuration. The config.yaml of a training has none.
    found = [f"{name}: no run has it" for name in ("hydra", "defaults", instantiate.TARGET) if name in settings]
    found += ["# @package: no run has it"] * ("@package" in source.read_text(encoding="utf-8"))
    found += [f"{key}={value}: a reference, which no run has" for key, value in flatten(settings) if "${" in str(value)]
    for path, component, kind in _find_components(settings) if not found else ():
        # The only classes of other packages that this package's own configurations name.
        known = "torch.optim" if kind is torch.optim.Optimizer else "pytorch_lightning"
        trusted = {known, *trusted_modules.read_trusted_modules()}
        check = trust.TrustCheck(kind, trusted, factories=kind is torch.optim.Optimizer)
        found += check.find_problems(component, path)
    if found:
        raise trust.UntrustedError(
            "\n".join([f"{source}: no training is made of it:", *(f"  {problem}" for problem in found)])
            + "\nWhere you have read it and know what it runs, copy it to a folder of your own: that is yours."
        )


def _find_components(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any, type]]:
    """Every component of a configuration: its dotted name, itself, and what it must be."""
    for key, kind in KINDS.items():
        # The mapping at the dotted key. It is one component, or (callbacks, logger) a mapping of names to components.
        node: Any = functools.reduce(_below, key.split("."), settings)
        if instantiate.is_component(node):
            yield key, node, kind
        else:
            yield from ((f"{key}.{name}", component, kind) for name, component in node.items())


def _below(tree: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    below = tree.get(name)
    return below if isinstance(below, Mapping) else {}
