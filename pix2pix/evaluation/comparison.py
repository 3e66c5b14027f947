"""Groups runs by settings and evaluation protocol, and says what limits their comparison."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from natsort import natsorted

from pix2pix.config.metric_names import METRICS, Metric
from pix2pix.core.tables import make_table
from pix2pix.evaluation.leaders import find_leaders
from pix2pix.evaluation.run_groups import Group, RunEntry
from pix2pix.evaluation.short_labels import shorten_labels

MAX_WARNING_RUNS = 6  # runs that a warning lists
UNFINISHED = {
    "running": ("is still running", "are still running"),
    "stopped": ("was stopped before its end", "were stopped before their end"),
    "failed": ("failed", "failed"),
    "unknown": (
        "has no provenance.json, so it is unknown whether it is finished and which pairs it was trained on",
        "have no provenance.json, so it is unknown whether they are finished and which pairs they were trained on",
    ),
    "not evaluated": ("is not evaluated", "are not evaluated"),
}


@dataclass(eq=False)
class Comparison:
    """Runs side by side: what the page and the tables show."""

    entries: list[RunEntry]
    split: str
    shown: tuple[str, ...] = ()  # the metrics to show, in this order; empty: all
    sort: str | None = None  # a metric or a setting by which the groups are sorted
    problems: dict[Path, str] = field(default_factory=dict)  # why runs were left out or not evaluated

    def arrange(self, columns: Sequence[str] = (), sort: str | None = None) -> "Comparison":
        """The same runs with some of the metrics, in the order of `columns`, sorted by a metric or a setting.

        The best of a metric comes first. Raises ValueError for a name that there is not.
        """
        for name in columns:
            if name not in self.metrics:
                raise ValueError(f"--metrics {name}: no run has this metric. There are: {', '.join(self.metrics)}.")
        if sort is not None and sort not in {*self.metrics, *self.columns}:
            names = ", ".join([*self.metrics, *self.columns])
            raise ValueError(f"--sort {sort}: neither a metric nor a setting that differs. There are: {names}.")
        return replace(self, shown=tuple(columns), sort=sort)

    @cached_property
    def groups(self) -> list[Group]:
        """The runs grouped by settings and protocol, in the order of each group's first run.

        A run with a mismatched evaluation forms a group of its own. A run without an evaluation joins the first group
        of its settings.
        """
        # Settings -> protocol -> runs. Evaluated runs come first, so that one without an evaluation finds a protocol of
        # its settings to join. The key of a mismatched run holds its path, so it stays alone.
        by_configuration: dict[str, dict[str, list[RunEntry]]] = {}
        for entry in sorted(self.entries, key=lambda entry: entry.evaluation is None):
            by_protocol = by_configuration.setdefault(_configuration_key(entry), {})
            key = json.dumps([entry.protocol, str(entry.run.path) if entry.mismatches else ""], sort_keys=True)
            if not entry.evaluation:
                key = next(iter(by_protocol), "")
            by_protocol.setdefault(key, []).append(entry)
        # Back to the order in which the runs were given, within the groups and among them.
        order = {id(entry): number for number, entry in enumerate(self.entries)}
        groups = [
            sorted(entries, key=lambda entry: order[id(entry)])
            for by_protocol in by_configuration.values()
            for entries in by_protocol.values()
        ]
        ordered = [Group(entries) for entries in sorted(groups, key=lambda entries: order[id(entries[0])])]
        return ordered if self.sort is None else natsorted(ordered, key=self._sort_key)

    def _sort_key(self, group: Group) -> tuple[bool, Any]:
        """Groups without a value come last."""
        assert self.sort is not None
        if self.sort not in self.known_metrics:
            value = group.distinct_settings.get(self.sort)
            return value is None, str(value)
        mean = group.mean(self.sort)
        sign = -1 if self.known_metrics[self.sort].higher_is_better else 1
        return mean is None, sign * (mean or 0.0)

    @cached_property
    def metrics(self) -> list[str]:
        """The metrics to show: those that `arrange` was given, or all of any run in documented order."""
        if self.shown:
            return list(self.shown)
        available = {name for entry in self.entries for name in entry.metrics}
        return [name for name in self.known_metrics if name in available]

    @cached_property
    def known_metrics(self) -> dict[str, Metric]:
        """Direction and meaning of the built-in metrics, and of those of the runs' evaluations."""
        own = {name: metric for entry in self.entries for name, metric in entry.own_metrics.items()}
        return METRICS | own

    @cached_property
    def columns(self) -> list[str]:
        """The settings that differ between groups, by their dotted names."""
        return list(dict.fromkeys(key for group in self.groups for key in group.distinct_settings))

    @cache  # noqa: B019 - a comparison lives as long as its command
    def leaders(self, metric: str) -> list[Group]:
        """The groups that may be the best: the best mean and all within its spread, as in `find_leaders`.

        Empty if data or protocols differ, or the spread of the best is unknown.
        """
        if len(self.data_sets()) > 1 or len(self.protocols()) > 1:
            return []
        return find_leaders(self.groups, metric, higher_is_better=self.known_metrics[metric].higher_is_better)

    @cached_property
    def short_labels(self) -> list[str]:
        """A label for each group without what all have in common."""
        return shorten_labels(
            [group.distinct_settings for group in self.groups], [group.label for group in self.groups]
        )

    def table(self) -> Any:
        """The metrics of each run, beside what tells it from the others.

        A row for each run: a `pandas.DataFrame`, or without pandas a list of dictionaries.
        """
        return make_table(
            [
                {"run": str(entry.run.path)}
                | entry.distinct_settings
                | {"seed": entry.seed}
                | entry.metrics
                | entry.set_numbers()
                for entry in self.entries
            ]
        )

    def differing_settings(self) -> dict[str, list[Any]]:
        """Maps every setting that differs to its value in each run."""
        return {key: values for key, values in self._settings.items() if any(value != values[0] for value in values)}

    def common_settings(self) -> dict[str, Any]:
        """Maps every setting that is the same in all runs to its value."""
        return {key: values[0] for key, values in self._settings.items() if all(value == values[0] for value in values)}

    @cached_property
    def _settings(self) -> dict[str, list[Any]]:
        by_run = [entry.result_settings for entry in self.entries]
        return {key: [each.get(key, "") for each in by_run] for key in sorted({key for each in by_run for key in each})}

    def data_sets(self) -> list[str]:
        """The data sets of the runs; metrics on different ones do not compare."""
        return sorted({entry.data for entry in self.entries})

    def protocols(self) -> list[str]:
        """The evaluation protocols, by what differs; metrics under different ones do not compare."""
        return sorted({self.describe_protocol(entry) for entry in self.entries if entry.evaluation})

    def evaluated_pairs(self) -> list[str]:
        """How many pairs the runs were evaluated on, and where they came from; several if that differs."""
        return list(dict.fromkeys(entry.pairs for entry in self.entries if entry.pairs))

    def warnings(self) -> list[str]:
        """Sentences on what limits the comparison."""
        warnings = []
        if len(self.data_sets()) > 1:
            sets = ", ".join(self.data_sets())
            warnings.append(f"These runs were trained on different data, so their numbers do not compare: {sets}.")
        evaluated = [entry for entry in self.entries if entry.evaluation]
        protocols = [(entry.run.path.name, self.describe_protocol(entry)) for entry in evaluated]
        if descriptions := [f"{name}: {protocol}" for name, protocol in protocols if protocol]:
            more = f" ... ({len(descriptions)} in all)" if len(descriptions) > MAX_WARNING_RUNS else ""
            warnings.append(
                f"The runs were not all evaluated in the same way: {'; '.join(descriptions[:MAX_WARNING_RUNS])}{more}."
            )
        return [*warnings, *self._warn_of_unfinished()]

    def _warn_of_unfinished(self) -> Iterator[str]:
        """A sentence for each state that keeps runs out of the means, with their names."""
        names: dict[str, list[str]] = {}
        for entry in self.entries:
            kind = "not evaluated" if entry.is_finished and not entry.evaluation else entry.progress.kind
            names.setdefault(kind, []).append(entry.run.path.name)
        for kind, (one, many) in UNFINISHED.items():
            if found := names.get(kind):
                verb = one if len(found) == 1 else many
                listed = ", ".join(found[:MAX_WARNING_RUNS]) + (", ..." if len(found) > MAX_WARNING_RUNS else "")
                yield f"{len(found)} of the runs {verb}: left out of means, or shown as provisional ({listed})."

    def describe_protocol(self, entry: RunEntry) -> str:
        """The settings of a run's evaluation that are not the same for all runs, and its mismatches."""
        differing = [name for name in entry.protocol if name in self._differing_protocol_keys]
        return ", ".join([*(f"{name}={entry.protocol[name]}" for name in differing), *entry.mismatches])

    @cached_property
    def _differing_protocol_keys(self) -> set[str]:
        protocols = [entry.protocol for entry in self.entries if entry.evaluation]
        keys = {key for protocol in protocols for key in protocol}
        return {key for key in keys if len({protocol.get(key) for protocol in protocols}) > 1}


def _configuration_key(entry: RunEntry) -> str:
    """Equal for runs of one group: their settings without the seed, and their data."""
    settings = {key: value for key, value in entry.result_settings.items() if key != "seed"}
    return json.dumps([settings, entry.data], sort_keys=True)
