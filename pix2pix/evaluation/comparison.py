"""Runs side by side: what differs, their numbers, mean and spread over seeds. Reads run directories only."""

import hashlib
import json
import math
import os
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from natsort import natsorted

from pix2pix.configuration import Config, flat
from pix2pix.evaluation.metrics import METRICS, higher_is_better
from pix2pix.loggers.metrics_csv import read
from pix2pix.run import Run

AT_MOST = 3  # settings that name a run; where more differ, the runs go by their own names
CONFIG = "config.yaml"  # makes a directory a run
OF_A_RUN = {"checkpoints", "samples", "evaluation", "exported", "tensorboard", "wandb"}  # folders that are no runs
UNINTERESTING = ("name", "run_dir", "output_dir", "data.root", "data.path", "data.pairs.path", "logger.")


@dataclass
class Entry:
    """One run as the comparison sees it."""

    run: Run
    config: Config
    label: str
    differs: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    evaluated: str | None = None
    finished: bool = False
    data: str = ""
    how: str = ""

    @property
    def seed(self) -> int:
        """The seed of its random draws."""
        return self.config["seed"]

    def state(self) -> str:
        """Where it stands, in words."""
        return ("finished" if self.finished else "unfinished") + ("" if self.evaluated else ", not evaluated")


@dataclass
class Group:
    """Runs that differ in nothing but the seed."""

    entries: list[Entry]

    @property
    def label(self) -> str:
        """What sets the group apart."""
        if len(self.differs) == 1:
            return str(next(iter(self.differs.values())))
        return ", ".join(f"{key}={value}" for key, value in self.differs.items()) or self.entries[0].label

    @property
    def differs(self) -> dict[str, Any]:
        """What differs between groups, by short names."""
        return {key: value for key, value in self.entries[0].differs.items() if key != "seed"}

    def mean(self, metric: str) -> float | None:
        """The mean over its runs that have the metric."""
        values = self._values(metric)
        return statistics.fmean(values) if values else None

    def spread(self, metric: str) -> float | None:
        """The standard deviation over seeds; None for a single run."""
        values = self._values(metric)
        return statistics.stdev(values) if len(values) > 1 else None

    def _values(self, metric: str) -> list[float]:
        values = [entry.metrics.get(metric, math.nan) for entry in self.entries]
        return [value for value in values if math.isfinite(value)]


@dataclass(eq=False)
class Comparison:
    """Everything the page and the tables show."""

    entries: list[Entry]
    split: str

    @cached_property
    def groups(self) -> list[Group]:
        """The runs, seeds of one setting together, in the order of the first of each."""
        found: dict[str, Group] = {}
        for entry in self.entries:
            settings = {key: value for key, value in _settings(entry.config).items() if key != "seed"}
            key = json.dumps([settings, entry.data], sort_keys=True)
            found.setdefault(key, Group([])).entries.append(entry)
        return list(found.values())

    @cached_property
    def metrics(self) -> list[str]:
        """The metrics that any run has, in the order in which they are documented."""
        there = {name for entry in self.entries for name in entry.metrics}
        return [name for name in METRICS if name in there]

    @cached_property
    def columns(self) -> list[str]:
        """The settings that differ, by short names."""
        return list(dict.fromkeys(key for group in self.groups for key in group.differs))

    @cache  # noqa: B019 - a comparison lives as long as its command
    def best(self, metric: str) -> Group | None:
        """The group with the best mean; none where the data are not the same."""
        if len(self.data_sets()) > 1:
            return None
        rated = [(value, group) for group in self.groups if (value := group.mean(metric)) is not None]
        if not rated:
            return None
        return (max if higher_is_better(metric) else min)(rated, key=lambda pair: pair[0])[1]

    def differences(self) -> dict[str, list[Any]]:
        """Every setting that is not the same in all runs: its value in each."""
        settings = [_settings(entry.config) for entry in self.entries]
        keys = sorted({key for setting in settings for key in setting})
        table = {key: [setting.get(key, "") for setting in settings] for key in keys}
        return {key: values for key, values in table.items() if any(value != values[0] for value in values)}

    def data_sets(self) -> list[str]:
        """The data of the runs: more than one cannot be compared number by number."""
        return sorted({entry.data for entry in self.entries})

    def ways(self) -> list[str]:
        """How the runs were evaluated: more than one, and their numbers do not quite compare."""
        return sorted({entry.how for entry in self.entries if entry.how})


def find_runs(paths: Iterable[str | Path]) -> list[Run]:
    """The runs at and below the paths. Raises FileNotFoundError for a path that has none."""
    runs: list[Run] = []
    for path in map(Path, paths):
        found = [path] if (path / CONFIG).is_file() else natsorted(_runs_below(path), key=str)
        if not found:
            raise FileNotFoundError(f"{path}: no runs here. Give runs, or folders of runs such as outputs/SWEEP.")
        runs += [Run(run) for run in found]
    return list({run.path.resolve(): run for run in runs}.values())


def _runs_below(path: Path) -> Iterator[Path]:
    return (folder for folder, files in walked(path) if CONFIG in files)


def walked(path: Path) -> Iterator[tuple[Path, list[str]]]:
    """The folders at and below a path with the names of their files; what runs keep in folders is left out.

    That is pictures by the thousand, and configurations that are not ours.
    """
    for folder, below, files in os.walk(path):
        if CONFIG in files:
            below[:] = [name for name in below if name not in OF_A_RUN]
        yield Path(folder), files


def gather(runs: Sequence[Run], split: str) -> Comparison:
    """Reads the runs; numbers come from their evaluation on the split, else from their last validation."""
    entries = [_entry(run, split) for run in runs]
    differing = Comparison(entries, split).differences()
    names = [_named(entry.run.path.name) for entry in entries]
    swept = all(names) and len({tuple(name) for name in names}) == 1  # then the sweep's directories say what differs
    for position, entry in enumerate(entries):
        entry.differs = dict(names[position]) if swept else _short(entry, position, differing)
    labels = [group.label for group in Comparison(entries, split).groups]
    if len(set(labels)) < len(labels):
        for entry in entries:
            entry.differs = {"where": str(entry.run.path.parent)} | entry.differs
    return Comparison(entries, split)


def _entry(run: Run, split: str) -> Entry:
    provenance = run.provenance()
    entry = Entry(run, run.config(), run.path.name, finished=run.finished())
    data = entry.config["data"]
    digest = hashlib.sha256(provenance.get("data_fingerprint", "").encode()).hexdigest()[:8]
    entry.data = f"{data['name']} {data['direction']} {data['height']}x{data['width']} ({digest})"
    file = run.evaluation / split / "metrics.json"
    if file.is_file():
        summary = json.loads(file.read_text(encoding="utf-8"))
        entry.metrics = {name: value for name, value in summary["metrics"].items() if value is not None}
        mode = " ".join(f"{name}={value}" for name, value in summary["inference"].items())
        entry.evaluated, entry.how = split, f"{summary['checkpoint']} {mode} samples={summary['samples']}"
    elif split == "val":
        rows = [row for row in read(run.path / "metrics.csv") if row.get("val/l1")]
        last = rows[-1] if rows else {}
        entry.metrics = {k.removeprefix("val/"): float(v) for k, v in last.items() if k.startswith("val/") and v}
    return entry


def _short(entry: Entry, position: int, differing: dict[str, list[Any]]) -> dict[str, Any]:
    """What differs, of the run at this position; its name where that is too much."""
    if len(differing) > AT_MOST:
        return {"run": "/".join(entry.run.path.resolve().parts[-2:])}
    return {key: values[position] for key, values in differing.items()}


def _named(directory: str) -> dict[str, str]:
    """`a=1,b=2` as a mapping; empty for another kind of name."""
    parts = directory.split(",")
    return dict(part.split("=", 1) for part in parts) if all("=" in part for part in parts) else {}


def _settings(config: Config) -> dict[str, Any]:
    return {key: value for key, value in flat(config) if not key.startswith(UNINTERESTING)}
