"""Metrics of the user: those that a configuration names, and those that a command names."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pix2pix.config.metric_names import METRICS, Metric, PairMetric, find_missing_direction
from pix2pix.core import instantiate
from pix2pix.core.instantiate import TARGET
from pix2pix.core.trust import build_trusted
from pix2pix.inference.generator import TrainedGenerator

OWN_METRICS = "own_metrics"  # in metrics.json


def build_own_metrics(trained: TrainedGenerator, named: Sequence[str] = ()) -> dict[str, PairMetric]:
    """The metrics of a run's configuration and those that the command line names, by name.

    Raises:
        ValueError: for a class that is no PairMetric or is not trusted, or the name of a built-in metric.
    """
    components = trained.config.metrics.items()
    source, trust = trained.checkpoint, trained.trust
    metrics = {
        name: build_trusted(component, f"metrics.{name}", PairMetric, source=source, trust=trust)
        for name, component in components
    }
    return metrics | {name: _build_named(name, path) for name, path in parse_names(named).items()}


def parse_names(named: Sequence[str]) -> dict[str, str]:
    """The classes of `--metric CLASS` and `--metric NAME=CLASS`, by the names of the metrics."""
    pairs = [text.rpartition("=") for text in named]
    return {name or _snake_case(path.rpartition(".")[2]): path for name, _, path in pairs}


def read_own_metrics(record: Mapping[str, Any]) -> dict[str, Metric]:
    """Direction and meaning of the metrics of an evaluation that are not built in, as far as they are readable."""
    recorded, found = record.get(OWN_METRICS), {}
    for name, part in recorded.items() if isinstance(recorded, dict) else ():
        if isinstance(part, dict) and name not in METRICS:
            found[name] = Metric(bool(part.get("higher_is_better")), str(part.get("meaning", "")))
    return found


def _build_named(name: str, path: str) -> PairMetric:
    """A metric of the command line, whose module the user trusts by naming it."""
    component = {TARGET: path}
    key = f"--metric {path}"
    problems = [
        *instantiate.find_component_problems(component, key, PairMetric),
        *find_missing_direction(component, key),
    ]
    if problems:
        raise ValueError("; ".join(problems))
    if name in METRICS:
        raise ValueError(f"--metric {name}: a built-in metric has this name. Give another one: NAME={path}.")
    return instantiate.build(component)


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
