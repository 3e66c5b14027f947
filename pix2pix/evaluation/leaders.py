"""Finds the groups of runs that may be the best by a metric: the best mean, and all within its spread."""

import statistics
from collections.abc import Sequence

from pix2pix.evaluation.run_groups import Group


def find_leaders(groups: Sequence[Group], metric: str, *, higher_is_better: bool) -> list[Group]:
    """The group with the best mean, and the groups within the spread of it.

    Two groups differ by more than the spread if their means differ by more than the larger spread of the two. The
    spread of a group is the standard deviation over its seeds; with one seed, half the 95 % interval over pictures.
    Groups with provisional numbers are left out. Empty if the spread of the best is unknown.
    """
    sign = 1 if higher_is_better else -1
    ranked = [
        (sign * mean, group)
        for group in groups
        if not group.is_provisional and (mean := group.mean(metric)) is not None
    ]
    if not ranked:
        return []
    top, first = max(ranked, key=lambda pair: pair[0])
    spread = measure_spread(first, metric)
    if len(ranked) > 1 and spread is None:
        return []
    return [
        group
        for value, group in ranked
        if group is first or top - value <= max(spread or 0.0, measure_spread(group, metric) or 0.0)
    ]


def measure_spread(group: Group, metric: str) -> float | None:
    """The standard deviation over seeds; of one seed half the 95 % interval over pictures; None if there is neither."""
    if (over_seeds := group.spread(metric)) is not None:
        return over_seeds
    intervals = [entry.intervals[metric] for entry in group.shown_entries if metric in entry.intervals]
    return statistics.fmean((high - low) / 2 for low, high in intervals) if intervals else None
