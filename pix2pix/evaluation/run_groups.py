"""The runs of a comparison and their groups: runs that differ only in the seed."""

import math
import statistics
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pix2pix.config.metric_names import Metric
from pix2pix.config.schema import RunConfig
from pix2pix.evaluation.record import read_picture_rows
from pix2pix.evaluation.result_settings import result_settings
from pix2pix.runs.run import Run
from pix2pix.runs.state import RunState


@dataclass
class RunEntry:
    """One run of a comparison."""

    run: Run
    config: RunConfig
    label: str
    distinct_settings: dict[str, Any] = field(default_factory=dict)  # those that tell it from the others
    metrics: dict[str, float] = field(default_factory=dict)
    pictures: dict[str, int] = field(default_factory=dict)  # of how many a metric of whole sets (fid, kid) is
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)  # 95 %, over its pictures
    subset_spread: dict[str, float] = field(default_factory=dict)  # of such a metric, over subsets of its pictures
    pairs: str = ""  # how many pairs it was evaluated on, and where they came from
    evaluation: str | None = None  # name of the folder with the evaluation that gave the metrics
    progress: RunState = field(default_factory=lambda: RunState("stopped"))
    measured_at: int | None = None  # the step of the validation that gave the metrics; None: they are of an evaluation
    data: str = ""
    protocol: dict[str, str] = field(default_factory=dict)  # evaluation settings that affect the metrics
    own_metrics: dict[str, Metric] = field(default_factory=dict)  # those that are not built in
    mismatches: tuple[str, ...] = ()  # why the evaluation is not the requested one

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return self.config.seed

    @property
    def is_finished(self) -> bool:
        """Whether its training reached its end."""
        return self.progress.kind == "finished"

    @property
    def is_final(self) -> bool:
        """Whether its metrics are final: the run is finished and was evaluated as requested."""
        return self.is_finished and self.evaluation is not None and not self.mismatches

    @property
    def evaluation_folder(self) -> Path:
        """The folder with the evaluation that gave the metrics."""
        assert self.evaluation is not None
        return self.run.evaluation / self.evaluation

    def set_numbers(self) -> dict[str, float]:
        """`fid_pictures`, `kid_pictures` and `kid_spread`, as far as its evaluation has them."""
        spreads = {f"{name}_spread": value for name, value in self.subset_spread.items()}
        return spreads | {f"{name}_pictures": count for name, count in self.pictures.items()}

    @cached_property
    def picture_rows(self) -> dict[str, dict[str, float]]:
        """The metrics of each picture, by its name, as the evaluation wrote them."""
        return read_picture_rows(self.evaluation_folder)

    @cached_property
    def result_settings(self) -> dict[str, Any]:
        """The settings that can change the results, by their dotted names."""
        return result_settings(self.config)

    @property
    def remarks(self) -> dict[str, str]:
        """The tags and notes of the run, as far as it has any."""
        remarks = {"tags": ", ".join(self.config.tags), "notes": self.config.notes or ""}
        return {name: text for name, text in remarks.items() if text}

    def state(self) -> str:
        """Progress and evaluation, for example `stopped, epoch 2 of 4, not evaluated`."""
        words = [self.progress.describe(), "" if self.evaluation else "not evaluated", *self.mismatches]
        return ", ".join(filter(None, words))


@dataclass(eq=False)
class Group:
    """Runs that differ only in the seed and were evaluated under the same protocol."""

    entries: list[RunEntry]

    @property
    def label(self) -> str:
        """The settings that distinguish the group; else the name of its run or configuration."""
        if len(self.distinct_settings) == 1:
            return str(next(iter(self.distinct_settings.values())))
        settings = ", ".join(f"{key}={value}" for key, value in self.distinct_settings.items())
        return settings or (self.entries[0].label if len(self.entries) == 1 else self.entries[0].config.name)

    @property
    def distinct_settings(self) -> dict[str, Any]:
        """The settings that distinguish the group from the others, by their dotted names."""
        first = next((entry for entry in self.entries if entry.evaluation), self.entries[0])
        return {key: value for key, value in first.distinct_settings.items() if key != "seed"}

    @property
    def is_provisional(self) -> bool:
        """Whether no run of the group has final metrics."""
        return not any(entry.is_final for entry in self.entries)

    @property
    def shown_entries(self) -> list[RunEntry]:
        """The runs whose metrics are shown: those with final metrics, or all if there are none."""
        return [entry for entry in self.entries if entry.is_final] or self.entries

    def describe_size(self) -> str:
        """The number of runs; `2 of 3` if not all have final metrics."""
        final = sum(entry.is_final for entry in self.entries)
        return f"{final} of {len(self.entries)}" if final < len(self.entries) else str(final)

    def unfinished_states(self) -> list[tuple[RunState, int]]:
        """The states of the runs that are not finished, each description once, and how many runs have it."""
        states = [entry.progress for entry in self.entries if not entry.is_finished]
        counts = Counter(state.describe() for state in states)
        by_text = {state.describe(): state for state in states}
        return [(by_text[text], count) for text, count in counts.items()]

    def describe_moment(self) -> str:
        """`at step 800` for provisional numbers that are of a validation during training; else ""."""
        steps = sorted({entry.measured_at for entry in self.shown_entries if entry.measured_at is not None})
        return f"at step {' and '.join(map(str, steps))}" if steps else ""

    def mean(self, metric: str) -> float | None:
        """The mean over the shown runs; None if none has the metric."""
        values = self.values(metric)
        return statistics.fmean(values) if values else None

    def spread(self, metric: str) -> float | None:
        """The standard deviation over seeds; None for a single run."""
        values = self.values(metric)
        return statistics.stdev(values) if len(values) > 1 else None

    def notes(self, metric: str) -> list[str]:
        """What belongs beside the mean: the number of runs, and of FID and KID the spread over subsets and pictures."""
        if not self.values(metric):
            return []
        notes = [f"n={len(self.values(metric))}"] if len(self.entries) > 1 else []
        spreads = [entry.subset_spread[metric] for entry in self.shown_entries if metric in entry.subset_spread]
        if spreads:
            notes.append(f"± {statistics.fmean(spreads):.2g} over subsets")
        counts = sorted({entry.pictures[metric] for entry in self.shown_entries if metric in entry.pictures})
        return notes + ([f"{' or '.join(map(str, counts))} pictures"] if counts else [])

    def values(self, metric: str) -> list[float]:
        """The finite values of the metric over the shown runs."""
        values = [entry.metrics.get(metric, math.nan) for entry in self.shown_entries]
        return [value for value in values if math.isfinite(value)]
