"""Bootstrap intervals of metrics: how much they would change with other pictures of the same kind (Efron 1979).

scipy.stats.bootstrap passes resampled values. The scores of label maps need the confusion matrix of a resample, which
is computed here from how often each picture was drawn; and scipy is no dependency of pix2pix.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from pix2pix.core.randomness import derive_seed

RESAMPLES, LEVEL = 2000, 0.95
BATCH = 100  # resamples that are computed at once
MIN_PICTURES = 2

Interval = tuple[float, float]


def mean_intervals(values: Mapping[str, Sequence[float]]) -> dict[str, Interval]:
    """The interval of the mean of each metric, from its value for each picture.

    Metrics with an infinite value, such as the PSNR of equal pictures, have none.
    """
    columns = {name: torch.tensor(column, dtype=torch.float64) for name, column in values.items()}
    finite = {name: column for name, column in columns.items() if column.isfinite().all()}
    if not finite:
        return {}
    table = torch.stack(list(finite.values()), dim=1)

    def resample(counts: Tensor) -> dict[str, Tensor]:
        means = counts @ table / len(table)
        return dict(zip(finite, means.unbind(1), strict=True))

    return bootstrap_intervals(resample, len(table))


def bootstrap_intervals(statistics: Callable[[Tensor], Mapping[str, Tensor]], pictures: int) -> dict[str, Interval]:
    """The central 95 % of statistics over sets of pictures that are drawn with replacement.

    Args:
        statistics: maps how often each picture was drawn, float64 (resamples, pictures), to values (resamples,).
        pictures: the number of pictures.

    Returns:
        The interval of each statistic; none for a single picture.
    """
    if pictures < MIN_PICTURES:
        return {}
    batches = [statistics(counts) for counts in _draw_counts(pictures)]
    limits = torch.tensor([(1 - LEVEL) / 2, (1 + LEVEL) / 2], dtype=torch.float64)
    values = {name: torch.cat([batch[name] for batch in batches]).quantile(limits) for name in batches[0]}
    return {name: (float(low), float(high)) for name, (low, high) in values.items()}


def _draw_counts(pictures: int) -> Iterator[Tensor]:
    """How often each picture is in each resample, in batches (BATCH, pictures)."""
    generator = np.random.default_rng(derive_seed(0, "bootstrap", pictures))
    shares = np.full(pictures, 1 / pictures)
    for _ in range(RESAMPLES // BATCH):
        yield torch.from_numpy(generator.multinomial(pictures, shares, BATCH)).double()
