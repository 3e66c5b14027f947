"""The order of pairs in an epoch, a function of seed and epoch, so that nothing needs to be saved."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from torch.utils.data import Sampler

from pix2pix.core.randomness import epoch_order

Begin = Callable[[], tuple[int, int]]


Order = Callable[[int, int, int], np.ndarray]


class Draw(NamedTuple):
    """Which pair, in which epoch: all that its augmentation depends on."""

    epoch: int
    pair: int


class EpochBatches(Sampler[list[Draw]]):
    """The batches of an epoch, from the first one not yet taken; process `rank` takes every `processes`-th pair.

    The processes' batches of a step are together the batch that one process would take, were it as large. With several
    processes the epoch is filled up to a multiple of their number by repeating its first pairs.

    Args:
        length: number of pairs.
        batch_size: pairs in a batch of one process; the last batch may be smaller.
        seed: the run's.
        begin: tells the epoch and its first batch not yet taken; asked whenever an epoch is begun.
        rank: number of this process.
        processes: how many processes share an epoch.
        order: the order of an epoch, from seed, epoch and length.
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
    ) -> None:
        self.length, self.batch_size, self.seed, self.begin = length, batch_size, seed, begin
        self.rank, self.processes, self.order = rank, processes, order

    def __len__(self) -> int:
        return math.ceil(self.length / (self.batch_size * self.processes))

    def __iter__(self) -> Iterator[list[Draw]]:
        epoch, first_batch = self.begin()
        order = self.order(self.seed, epoch, self.length)
        # np.resize repeats the order from its start, up to the same number of pairs for every process: each step waits
        # for all of them, so they must take the same number of steps.
        mine = np.resize(order, math.ceil(self.length / self.processes) * self.processes)[self.rank :: self.processes]
        for start in range(first_batch * self.batch_size, len(mine), self.batch_size):
            yield [Draw(epoch, int(index)) for index in mine[start : start + self.batch_size]]
