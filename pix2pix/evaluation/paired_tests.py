"""Paired tests between the groups of a comparison: is a difference more than chance?

The same pictures are in every evaluation, and runs of one seed see the same order of pairs. A paired test uses this:
it asks whether the differences, picture by picture or seed by seed, would be as large if their signs were random (the
sign-flip permutation test, Fisher 1935; Good, Permutation Tests, 2000). scipy.stats.permutation_test does the same, but
scipy is no dependency of pix2pix, and the test itself is a line of arithmetic.
"""

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pix2pix.core.randomness import derive_seed
from pix2pix.core.tables import align_columns
from pix2pix.evaluation.bootstrap import Interval, mean_intervals
from pix2pix.evaluation.comparison import Comparison
from pix2pix.evaluation.run_groups import Group

MAX_EXACT = 14  # differences, whose 2^14 signs are all tried
DRAWS = 20_000  # random signs beyond that
MIN_PAIRS = 2


@dataclass(frozen=True)
class PairedTest:
    """A group against the one with the best mean of a metric.

    Attributes:
        metric: the metric.
        group: label of the group.
        best: label of the group with the best mean.
        difference: mean of the group minus mean of the best.
        interval: 95 % bootstrap interval of the difference over pictures; None without values for each picture.
        pictures: number of pictures in the test over pictures.
        p_pictures: two-sided p-value over pictures, of the means over seeds; None without values for each picture.
        seeds: number of seeds that both groups have.
        p_seeds: two-sided p-value over seeds; None for fewer than two. With n seeds it is at least 2^(1 - n).
    """

    metric: str
    group: str
    best: str
    difference: float
    interval: Interval | None
    pictures: int
    p_pictures: float | None
    seeds: int
    p_seeds: float | None


def compare_with_best(comparison: Comparison, metric: str) -> list[PairedTest]:
    """Every group with final numbers against the one with the best mean; empty for fewer than two such groups.

    The p-values over pictures of one metric are corrected for the number of groups (Holm 1979).
    """
    sign = -1 if comparison.known_metrics[metric].higher_is_better else 1
    final = [group for group in comparison.groups if not group.is_provisional]
    means = [(mean, group) for group in final if (mean := group.mean(metric)) is not None]
    if len(means) < MIN_PAIRS or len(comparison.data_sets()) > 1:
        return []
    (best_mean, best), *others = sorted(means, key=lambda pair: sign * pair[0])
    tests = [_test(metric, group, best, mean - best_mean) for mean, group in others]
    corrected = correct_holm([test.p_pictures for test in tests])
    return [replace(test, p_pictures=p) for test, p in zip(tests, corrected, strict=True)]


def format_paired_tests(tests: Sequence[PairedTest]) -> str:
    """The tests as a table of aligned columns."""
    header = ["metric", "group", "best", "difference (95 %)", "p over pictures (n)", "p over seeds (n)"]
    rows = [
        [
            *(test.metric, test.group, test.best),
            f"{test.difference:+.4g}" + (" ({:+.4g} to {:+.4g})".format(*test.interval) if test.interval else ""),
            _format_p(test.p_pictures, test.pictures),
            _format_p(test.p_seeds, test.seeds),
        ]
        for test in tests
    ]
    return "\n".join("  ".join(line).rstrip() for line in align_columns([header, *rows], len(header))) + "\n"


def _format_p(p: float | None, count: int) -> str:
    return "" if p is None else f"{p:.2g} ({count})"


def flip_signs(differences: Sequence[float]) -> float:
    """The two-sided p-value of the sign-flip test that the mean of paired differences is 0.

    All signs are tried for at most MAX_EXACT differences that are not 0; otherwise DRAWS random ones, where the
    observed signs count as one of them, so that no p-value is 0.
    """
    values = np.array([value for value in differences if value != 0.0])
    if not len(values):
        return 1.0
    observed = abs(values.sum()) * (1 - 1e-12)  # equal sums may differ in the last bit
    if len(values) <= MAX_EXACT:
        signs = np.array(list(itertools.product((-1.0, 1.0), repeat=len(values))))
        return float((abs(signs @ values) >= observed).mean())
    generator = np.random.default_rng(derive_seed(0, "signs", len(values)))
    signs = generator.choice((-1.0, 1.0), (DRAWS, len(values)))
    return float(((abs(signs @ values) >= observed).sum() + 1) / (DRAWS + 1))


def correct_holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction for several tests; None stays None."""
    order = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, index) in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p))
        corrected[index] = highest
    return corrected


def _test(metric: str, group: Group, best: Group, difference: float) -> PairedTest:
    by_picture = paired_differences(_picture_means(group, metric), _picture_means(best, metric))
    by_seed = paired_differences(_seed_values(group, metric), _seed_values(best, metric))
    has_pictures = len(by_picture) >= MIN_PAIRS
    return PairedTest(
        metric,
        group.label,
        best.label,
        difference,
        mean_intervals({metric: by_picture}).get(metric) if has_pictures else None,
        len(by_picture),
        flip_signs(by_picture) if has_pictures else None,
        len(by_seed),
        flip_signs(by_seed) if len(by_seed) >= MIN_PAIRS else None,
    )


def paired_differences(ours: Mapping[Any, float], theirs: Mapping[Any, float]) -> list[float]:
    """The differences of what both have, in order: the random signs must meet the same ones in every process."""
    return [ours[key] - theirs[key] for key in sorted(ours.keys() & theirs.keys())]


def _picture_means(group: Group, metric: str) -> dict[str, float]:
    """The mean over the runs of a group, for each picture with a number in all of them; empty for a set metric."""
    tables = [
        {name: row[metric] for name, row in entry.picture_rows.items() if metric in row}
        for entry in group.shown_entries
    ]
    means = {name: statistics.fmean(table[name] for table in tables) for name in set.intersection(*map(set, tables))}
    return {name: mean for name, mean in means.items() if math.isfinite(mean)}


def _seed_values(group: Group, metric: str) -> dict[int, float]:
    """The mean of the finite numbers of each seed; a group may have several runs of one."""
    values: dict[int, list[float]] = {}
    for entry in group.shown_entries:
        if math.isfinite(value := entry.metrics.get(metric, math.nan)):
            values.setdefault(entry.seed, []).append(value)
    return {seed: statistics.fmean(each) for seed, each in values.items()}
