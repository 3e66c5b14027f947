"""Compares runs: settings that differ, metrics, mean and spread over seeds. Reads run directories only."""

import hashlib
import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from pix2pix.config.identity import Config, flat
from pix2pix.config.metric_names import METRICS, higher_is_better
from pix2pix.core.trust import Trust
from pix2pix.data.pair import Split
from pix2pix.evaluation.record import EvaluationSpec, Record, read_record
from pix2pix.inference.carried import read_complete_config
from pix2pix.runs.metrics import read_metrics
from pix2pix.runs.run import Run

AT_MOST = 3  # settings that name a run; where more differ, the runs go by their own names
NAMED = 6  # runs that a warning names
UNINTERESTING = ("name", "run_dir", "output_dir", "data.root", "data.path", "data.pairs.path", "logger.")


@dataclass
class Entry:
    """One run as the comparison sees it."""

    run: Run
    config: Config
    label: str
    differs: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    evaluated: str | None = None  # the folder of the evaluation that its numbers are of
    finished: bool = False
    data: str = ""
    way: dict[str, str] = field(default_factory=dict)  # how it was evaluated, as far as numbers depend on it
    doubts: tuple[str, ...] = ()  # why its evaluation is not the one that was asked for

    @property
    def seed(self) -> int:
        """The seed of its random draws."""
        return self.config["seed"]

    @property
    def counts(self) -> bool:
        """Whether its numbers are final: of a finished run, evaluated as the comparison asks."""
        return self.finished and self.evaluated is not None and not self.doubts

    def state(self) -> str:
        """Where it stands, in words."""
        words = ["finished" if self.finished else "unfinished", "" if self.evaluated else "not evaluated", *self.doubts]
        return ", ".join(filter(None, words))


@dataclass(eq=False)
class Group:
    """Runs that differ in nothing but the seed, and were evaluated in the same way."""

    entries: list[Entry]

    @property
    def label(self) -> str:
        """What sets the group apart."""
        if len(self.differs) == 1:
            return str(next(iter(self.differs.values())))
        by_differences = ", ".join(f"{key}={value}" for key, value in self.differs.items())
        return by_differences or (self.entries[0].label if len(self.entries) == 1 else self.entries[0].config["name"])

    @property
    def differs(self) -> dict[str, Any]:
        """What differs between groups, by short names."""
        first = next((entry for entry in self.entries if entry.evaluated), self.entries[0])
        return {key: value for key, value in first.differs.items() if key != "seed"}

    @property
    def provisional(self) -> bool:
        """Whether none of its runs has final numbers; those shown are of runs that go on or were not evaluated."""
        return not any(entry.counts for entry in self.entries)

    @property
    def counted(self) -> list[Entry]:
        """The runs whose numbers are shown: those with final ones, or all where there is none of these."""
        return [entry for entry in self.entries if entry.counts] or self.entries

    def runs(self) -> str:
        """How many runs there are, and how many of them count."""
        final = sum(entry.counts for entry in self.entries)
        return f"{final} of {len(self.entries)}" if final < len(self.entries) else str(final)

    def mean(self, metric: str) -> float | None:
        """The mean over the runs that count and have the metric."""
        values = self.values(metric)
        return statistics.fmean(values) if values else None

    def spread(self, metric: str) -> float | None:
        """The standard deviation over seeds; None for a single run."""
        values = self.values(metric)
        return statistics.stdev(values) if len(values) > 1 else None

    def values(self, metric: str) -> list[float]:
        """The metric of each run that counts and has it: as many numbers as mean and spread are of."""
        values = [entry.metrics.get(metric, math.nan) for entry in self.counted]
        return [value for value in values if math.isfinite(value)]


@dataclass(eq=False)
class Comparison:
    """Everything the page and the tables show."""

    entries: list[Entry]
    split: str

    @cached_property
    def groups(self) -> list[Group]:
        """The runs, seeds of one setting together, in the order of the first of each.

        An evaluation in doubt stands alone; a run without one stands with its setting.
        """
        found: dict[str, dict[str, list[Entry]]] = {}
        for entry in sorted(self.entries, key=lambda entry: entry.evaluated is None):
            ways = found.setdefault(self._setting(entry), {})
            way = json.dumps([entry.way, str(entry.run.path) if entry.doubts else ""], sort_keys=True)
            ways.setdefault(way if entry.evaluated else next(iter(ways), ""), []).append(entry)
        place = {id(entry): number for number, entry in enumerate(self.entries)}
        groups = [sorted(same, key=lambda entry: place[id(entry)]) for ways in found.values() for same in ways.values()]
        return [Group(entries) for entries in sorted(groups, key=lambda entries: place[id(entries[0])])]

    @staticmethod
    def _setting(entry: Entry) -> str:
        settings = {key: value for key, value in _settings(entry.config).items() if key != "seed"}
        return json.dumps([settings, entry.data], sort_keys=True)

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
        """The group that is better than all others by more than the spread over seeds.

        None where there is none: the nearest is within the spread, or its spread is not known as it has one seed, or
        its numbers are provisional, or numbers do not compare at all.
        """
        if len(self.data_sets()) > 1 or len(self.ways()) > 1:
            return None
        sign = 1 if higher_is_better(metric) else -1
        rated = [(sign * value, group) for group in self.groups if (value := group.mean(metric)) is not None]
        rated.sort(key=lambda pair: -pair[0])
        if not rated or rated[0][1].provisional:
            return None
        (top, first), *others = rated
        spread = first.spread(metric)
        if others and spread is None:
            return None
        within = any(top - value <= max(spread or 0, group.spread(metric) or 0) for value, group in others)
        return None if within else first

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
        """How the runs were evaluated, by what differs in it: more than one, and their numbers do not compare."""
        return sorted({self.way_of(entry) for entry in self.entries if entry.evaluated})

    def warnings(self) -> list[str]:
        """What must be known before numbers are compared, in sentences."""
        found = []
        if len(self.data_sets()) > 1:
            sets = ", ".join(self.data_sets())
            found.append(f"These runs were trained on different data, so their numbers do not compare: {sets}.")
        if named := [f"{e.run.path.name}: {way}" for e in self.entries if e.evaluated and (way := self.way_of(e))]:
            more = f" ... ({len(named)} in all)" if len(named) > NAMED else ""
            found.append(f"The runs were not all evaluated in the same way: {'; '.join(named[:NAMED])}{more}.")
        for count, what in (
            (sum(not entry.finished for entry in self.entries), "unfinished"),
            (sum(entry.finished and not entry.evaluated for entry in self.entries), "not evaluated"),
        ):
            if count:
                are = "of the runs is" if count == 1 else "of the runs are"
                found.append(f"{count} {are} {what}: not counted in means, or shown as provisional.")
        return found

    def way_of(self, entry: Entry) -> str:
        """How a run was evaluated, as far as that is not the same for all; and why that is in doubt."""
        differing = [name for name in entry.way if name in self._differing_ways]
        return ", ".join([*(f"{name}={entry.way[name]}" for name in differing), *entry.doubts])

    @cached_property
    def _differing_ways(self) -> set[str]:
        ways = [entry.way for entry in self.entries if entry.evaluated]
        names = {name for way in ways for name in way}
        return {name for name in names if len({way.get(name) for way in ways}) > 1}


def load_comparison(
    runs: Sequence[Run],
    split: Split,
    *,
    checkpoint: str = "best",
    data: str | Path | None = None,
    trust: Trust = (),
) -> Comparison:
    """Reads the runs.

    Args:
        runs: in the order in which they are shown.
        split: whose evaluations are read. Where there is none of `val`, a run's last validation gives the numbers.
        checkpoint: of each run, whose evaluation is meant.
        data: a folder of pairs that all runs were evaluated on, in place of their own.
        trust: modules whose classes the runs' configurations may have built; see `pix2pix.core.trust`.
    """
    standard = EvaluationSpec(split, checkpoint, data, trust=trust)
    entries = [_entry(run, standard) for run in runs]
    _drop_common_data(entries)
    differing = Comparison(entries, split).differences()
    names = [_parse_settings(entry.run.path.name) for entry in entries]
    swept = all(names) and len({tuple(name) for name in names}) == 1  # then the sweep's directories say what differs
    for position, entry in enumerate(entries):
        entry.differs = dict(names[position]) if swept else _short_differences(entry, position, differing)
    _make_labels_unique(Comparison(entries, split))
    return Comparison(entries, split)


def _entry(run: Run, standard: EvaluationSpec) -> Entry:
    provenance = run.provenance()
    entry = Entry(run, read_complete_config(run), run.path.name, finished=run.is_finished())
    data = entry.config["data"]
    digest = hashlib.sha256(provenance.get("data_fingerprint", "").encode()).hexdigest()[:8]
    entry.data = f"{data['name']} {data['direction']} {data['height']}x{data['width']} ({digest})"
    folder = standard.folder(run, entry.config)
    record = read_record(folder)
    if record is not None:
        entry.metrics = {name: value for name, value in record["metrics"].items() if value is not None}
        entry.evaluated, entry.way = folder.name, _protocol(record)
        entry.doubts = tuple(standard.find_mismatches(run, entry.config, record))
    elif standard.split == "val":
        rows = [row for row in read_metrics(run.path / "metrics.csv") if row.get("val/l1")]
        last = rows[-1] if rows else {}
        entry.metrics = {k.removeprefix("val/"): float(v) for k, v in last.items() if k.startswith("val/") and v}
    return entry


def _protocol(record: Record) -> dict[str, str]:
    """How an evaluation was made, as far as its numbers depend on it; what a record does not tell is unknown."""
    data, scorer = record.get("data") or {}, record.get("scorer") or {}
    way = {"checkpoint": record.get("checkpoint")} | record["inference"]
    way |= {name: record.get(name, "unknown") for name in ("samples", "precision")}
    way |= {"data": f"{data.get('path') or data.get('kind')} ({data['pictures'][:8]})" if data else "unknown"}
    way |= {"scorer": f"{scorer['path']} ({scorer['sha256'][:8]})"} if scorer else {}
    return {name: str(value) for name, value in way.items()}


def _drop_common_data(entries: Sequence[Entry]) -> None:
    """Leaves in the ways only what can differ in them: runs of different data are told apart by these already."""
    for data in {entry.data for entry in entries}:
        same = [entry for entry in entries if entry.data == data and entry.evaluated]
        pictures = {entry.way["data"].rpartition(" ")[2] for entry in same}
        for entry in same if len(pictures) == 1 else ():
            del entry.way["data"]
    if len({entry.way["scorer"].rpartition(" ")[2] for entry in entries if "scorer" in entry.way}) <= 1:
        for entry in entries:
            entry.way.pop("scorer", None)


def _make_labels_unique(comparison: Comparison) -> None:
    """Adds to what names the groups how they were evaluated, and where they lie, as far as they have the same name."""
    if len(comparison.ways()) > 1:
        for entry in comparison.entries:
            entry.differs |= {"evaluated": comparison.way_of(entry)}
    for name, of in (("where", lambda path: str(path.parent)), ("run", lambda path: path.name)):
        labels = [group.label for group in comparison.groups]
        if len(set(labels)) < len(labels):
            for entry in comparison.entries:
                entry.differs = {name: of(entry.run.path)} | entry.differs


def _short_differences(entry: Entry, position: int, differing: dict[str, list[Any]]) -> dict[str, Any]:
    """What differs, of the run at this position; its name where that is too much."""
    if len(differing) > AT_MOST:
        return {"run": "/".join(entry.run.path.resolve().parts[-2:])}
    return {key: values[position] for key, values in differing.items()}


def _parse_settings(directory: str) -> dict[str, str]:
    """`a=1,b=2` as a mapping; empty for another kind of name."""
    parts = directory.split(",")
    return dict(part.split("=", 1) for part in parts) if all("=" in part for part in parts) else {}


def _settings(config: Config) -> dict[str, Any]:
    return {key: value for key, value in flat(config) if not key.startswith(UNINTERESTING)}
