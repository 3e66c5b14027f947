"""Pairs -> batches, in an order and with draws that depend only on the seed and on how many steps were taken."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytorch_lightning as pl
from torch.utils.data import DataLoader, Dataset, Sampler

from pix2pix.data.pairs import Pair, PairSource
from pix2pix.data.transforms import PairTransform
from pix2pix.randomness import epoch_order, pair_generator

Begin = Callable[[], tuple[int, int]]
Order = Callable[[int, int, int], np.ndarray]


class Draw(NamedTuple):
    """Which pair, in which epoch: all that its augmentation depends on."""

    epoch: int
    pair: int


class TrainingPairs(Dataset[Pair]):
    """Augmented pairs in [-1, 1], a pure function of the draw: the number of loader workers changes nothing."""

    def __init__(self, pairs: Sequence[Pair], transform: PairTransform, seed: int) -> None:
        self.pairs, self.transform, self.seed = pairs, transform, seed

    def __getitem__(self, draw: Draw) -> Pair:
        return self.transform.augment(self.pairs[draw.pair], pair_generator(self.seed, *draw))


class PlainPairs(Dataset[Pair]):
    """Pairs in [-1, 1] as they are evaluated: resized, in their natural order."""

    def __init__(self, pairs: Sequence[Pair], transform: PairTransform) -> None:
        self.pairs, self.transform = pairs, transform

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Pair:
        return self.transform.plain(self.pairs[index])


class EpochBatches(Sampler[list[Draw]]):
    """The batches of an epoch, from the first one not yet taken; process `rank` takes every `processes`-th pair.

    With several processes the epoch is filled up to a multiple of their number by repeating its first pairs.

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
        mine = np.resize(order, math.ceil(self.length / self.processes) * self.processes)[self.rank :: self.processes]
        for start in range(first_batch * self.batch_size, len(mine), self.batch_size):
            yield [Draw(epoch, int(index)) for index in mine[start : start + self.batch_size]]


class PairDataModule(pl.LightningDataModule):
    """Training batches at random, validation pairs one by one in natural order.

    Validation is always pair by pair: with test-time batch statistics a picture must not depend on its neighbours.
    """

    def __init__(
        self, pairs: PairSource, transform: PairTransform, *, batch_size: int = 1, num_workers: int = 0, seed: int = 0
    ) -> None:
        super().__init__()
        self.pairs, self.num_workers = pairs, num_workers
        self.training = TrainingPairs(pairs.split("train"), transform, seed)
        self.validation = PlainPairs(pairs.split("val"), transform)
        self.training_plain = PlainPairs(self.training.pairs, transform)
        self.batch_size, self.seed = batch_size, seed

    def train_dataloader(self) -> DataLoader[Pair]:
        """Loads the epoch that the trainer is in, from the step that it has reached."""
        trainer = self.trainer
        assert trainer is not None
        batches = EpochBatches(
            len(self.training.pairs),
            self.batch_size,
            self.seed,
            lambda: position(trainer, len(batches)),
            rank=trainer.global_rank,
            processes=trainer.world_size,
            order=self.pairs.order,
        )
        return ResumableLoader(
            self.training,
            batch_sampler=batches,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=trainer.strategy.root_device.type == "cuda",
        )

    def val_dataloader(self) -> DataLoader[Pair]:
        """The validation pairs, all of them on every process."""
        return DataLoader(self.validation, batch_size=1)


def position(trainer: pl.Trainer, batches: int) -> tuple[int, int]:
    """The epoch and its first batch not yet taken, from the trainer's own count of finished batches."""
    limit = trainer.limit_train_batches
    per_epoch = min(batches, limit) if isinstance(limit, int) else int(batches * (limit or 1.0))
    done: Any = trainer.fit_loop.epoch_loop.batch_progress.total
    return divmod(done.processed, max(per_epoch, 1))


class ResumableLoader(DataLoader[Pair]):
    """A loader that can begin within an epoch; its position is the trainer's, so there is nothing to save."""

    def state_dict(self) -> dict[str, int]:
        """Nothing: Lightning asks for it before it trusts a loader in the middle of an epoch."""
        return {}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Nothing to restore."""
