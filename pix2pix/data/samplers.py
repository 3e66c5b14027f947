"""Samples the pairs of an epoch in an order that depends on seed and epoch alone, so no state needs saving."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from torch.utils.data import Sampler

from pix2pix.core.randomness import epoch_order
from pix2pix.data.pair import LOOK_AHEAD

Begin = Callable[[], tuple[int, int]]  # gives the epoch, and its first batch not yet taken
Order = Callable[[int, int, int], np.ndarray]  # gives the order of an epoch from seed, epoch and length


class Draw(NamedTuple):
    """An index of a pair and an epoch, on which with the seed its augmentation depends."""

    epoch: int
    pair: int


class DrawnBatch(list[Draw]):
    """The draws of a batch, and the pairs of those batches that the same loader worker is going to take next."""

    next_pairs: list[int]


class EpochBatches(Sampler[list[Draw]]):
    """The batches of an epoch from the first one not yet taken; process `rank` takes every `processes`-th pair.

    Together, the batches of all processes in a step are the batch that one process would take with a larger batch
    size. With several processes, the first pairs repeat at the end of an epoch until all processes have equally many.

    Args:
        length: number of pairs.
        batch_size: pairs in a batch of one process; the last batch may be smaller.
        seed: the seed of the run.
        begin: gives the epoch and its first batch not yet taken; called at the start of each epoch.
        rank: the number of this process, from 0.
        processes: how many processes share an epoch.
        order: the order of an epoch, from seed, epoch and length.
        workers: how many loader workers take batches in turn; 0 for none.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        seed: int,
        begin: Begin,
        *,
        rank: int = 0,
        processes: int = 1,
        order: Order = epoch_order,
        workers: int = 0,
    ) -> None:
        self.length, self.batch_size, self.seed, self.begin = length, batch_size, seed, begin
        self.rank, self.processes, self.order = rank, processes, order
        self.stride = batch_size * max(1, workers)  # from a batch of a worker to its next

    def __len__(self) -> int:
        return math.ceil(self.length / (self.batch_size * self.processes))

    def __iter__(self) -> Iterator[list[Draw]]:
        epoch, first_batch = self.begin()
        order = self.order(self.seed, epoch, self.length)
        # np.resize repeats the order from its start, up to the same number of pairs for every process: each step waits
        # for all of them, so they must take the same number of steps.
        mine = np.resize(order, math.ceil(self.length / self.processes) * self.processes)[self.rank :: self.processes]
        for start in range(first_batch * self.batch_size, len(mine), self.batch_size):
            batch = DrawnBatch(Draw(epoch, int(index)) for index in mine[start : start + self.batch_size])
            batch.next_pairs = self._next_pairs(mine, start)
            yield batch

    def _next_pairs(self, mine: np.ndarray, start: int) -> list[int]:
        """Up to LOOK_AHEAD pairs, or one batch if that is more, of the batches after this one of the same worker."""
        end = start + self.stride * (1 + math.ceil(LOOK_AHEAD / self.batch_size))
        starts = range(start + self.stride, min(end, len(mine)), self.stride)
        return [int(index) for later in starts for index in mine[later : later + self.batch_size]]
