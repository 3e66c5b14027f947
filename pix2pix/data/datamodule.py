"""The data module: batches of pairs, whose order and augmentation depend only on the seed and the step."""

import functools
import logging
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset

from pix2pix.core.cpu_cores import count_cores
from pix2pix.core.randomness import pair_generator
from pix2pix.core.signals import ignore_stop_signals
from pix2pix.data.cache.cache import Cache
from pix2pix.data.cache.preload import ResizedPairs, describe_content
from pix2pix.data.evaluation_pairs import EvaluationInputs, EvaluationPairs
from pix2pix.data.inventory import Inventory
from pix2pix.data.pair import Pair, PairSource, Split, read_ahead
from pix2pix.data.resume import EpochLayout, align_progress, convert_progress, find_position
from pix2pix.data.samplers import Draw, DrawnBatch, EpochBatches
from pix2pix.data.sources.skip_unreadable import OnError, SkipUnreadable, leave_out_unreadable
from pix2pix.data.training_loader import ResumableLoader, TrainingBatch, collate_list, collate_stack
from pix2pix.data.transforms import PairTransform, View

log = logging.getLogger(__name__)

MAX_WORKERS = 8
Redraw = Callable[[Pair, int, int, int], Pair]  # PairSource.redraw


class TrainingPairs(Dataset[tuple[Pair, View]]):
    """Resized pairs with a view of each. A view depends on seed and draw alone, not on the number of loader workers."""

    def __init__(
        self, pairs: Sequence[Pair], transform: PairTransform, seed: int, redraw: Redraw | None = None
    ) -> None:
        self.pairs, self.transform, self.seed, self.redraw = pairs, transform, seed, redraw
        self.resized: Sequence[Pair] = ResizedPairs(pairs, transform.resize_for_training)  # a cache may replace it

    def __getitems__(self, batch: list[Draw]) -> list[tuple[Pair, View]]:
        """The pairs of a batch; what this worker takes next is read meanwhile, where it comes over a network."""
        next_pairs = batch.next_pairs if isinstance(batch, DrawnBatch) else []
        read_ahead(self.resized, [draw.pair for draw in batch] + next_pairs)
        return [self[draw] for draw in batch]

    def __getitem__(self, draw: Draw) -> tuple[Pair, View]:
        pair = self.resized[draw.pair]
        pair = self.redraw(pair, self.seed, *draw) if self.redraw else pair
        return pair, self.transform.sample_view(pair, pair_generator(self.seed, *draw))


class PairDataModule(pl.LightningDataModule):
    """Training batches in random order, validation pairs one by one in natural order.

    Loader workers only read and resize training pairs. Whole batches are augmented and normalised on the device.
    Validation in batches gives the numbers of validation pair by pair, but for their rounding.

    Args:
        pairs: the source of the pairs.
        transform: resizes, augments and normalises them.
        batch_size: pairs in a batch of one process.
        validation_batch: pairs in a batch of the validation; these must have one size.
        num_workers: processes that read ahead; `auto` is 0 for cached pairs, else one per core up to MAX_WORKERS.
        seed: seed of order and augmentation.
        cache: keeps resized pairs during a training; None for none.
        on_error: for a pair that cannot be read, or cannot be brought to the size of the training. `fail` ends
            the training. `skip` replaces a training pair by the next one, and leaves a validation pair out.
        skip_limit: how many pairs each loading process may skip, and how many a validation may leave out.
        cache_key: the settings of `pairs` and `transform` as text. A cache on disk is used again only if they, the
            files and the versions of the decoders are the same.
    """

    def __init__(
        self,
        pairs: PairSource,
        transform: PairTransform,
        *,
        batch_size: int = 1,
        validation_batch: int = 1,
        num_workers: int | Literal["auto"] = 0,
        seed: int = 0,
        cache: Cache | None = None,
        on_error: OnError = "fail",
        skip_limit: int = 10,
        cache_key: str = "",
    ) -> None:
        super().__init__()
        self.pairs, self.transform, self.num_workers = pairs, transform, num_workers
        self.training = TrainingPairs(pairs.split("train"), transform, seed, pairs.redraw)
        self.validation = EvaluationPairs(pairs.split("val"), transform)
        self.inputs = EvaluationInputs(pairs.inputs(), transform)
        self.on_error: OnError = on_error
        self.skip_limit = skip_limit
        self.training_plain = EvaluationPairs(self.training.pairs, transform)
        self.batch_size, self.validation_batch, self.seed = batch_size, validation_batch, seed
        self.cache, self.cache_key = cache or Cache(), cache_key
        self.saved_layout: EpochLayout | None = None
        self.fingerprint: str | None = None  # of the pairs, once their inventory was taken

    def setup(self, stage: str) -> None:
        """Leaves out validation pairs that cannot be used, and reads the pairs into the cache, if there is one."""
        if self.on_error == "skip" and isinstance(self.validation.resized, ResizedPairs):
            self.validation = EvaluationPairs(
                leave_out_unreadable(self.validation.resized, self.skip_limit), self.transform
            )
        if stage != "fit":
            return
        trainer = self._trainer()
        pair_sets = [
            self._pairs_to_cache("train", self.training.pairs, self.transform.resize_for_training),
            self._pairs_to_cache("val", self.validation.pairs, self.transform.resize_for_eval),
        ]
        if isinstance(skipping := pair_sets[0], SkipUnreadable):
            self.training_plain.resized = skipping.resized_by(self.transform.resize_for_eval)
        kind, stored = self.cache.store(pair_sets, trainer.strategy.root_device, trainer.num_devices)
        self.training.resized, self.validation.resized = stored
        # Workers would only copy cached pairs between processes.
        auto: int = 0 if kind != "off" else max(1, min(MAX_WORKERS, count_cores() // trainer.num_devices))
        self.workers: int = auto if isinstance(self.num_workers, str) else self.num_workers

    def _pairs_to_cache(self, split: Split, pairs: Sequence[Pair], resize: Callable[[Pair], Pair]) -> ResizedPairs:
        # A cache of pairs of which some were skipped is no cache of all.
        settings = self.cache_key if self.on_error == "fail" else f"{self.cache_key} on_error={self.on_error}"
        content = functools.partial(describe_content, self.pairs, split, settings, self.fingerprint)
        if split == "train" and self.on_error == "skip":
            return SkipUnreadable(pairs, resize, self.skip_limit, title=split, content=content)
        return ResizedPairs(pairs, resize, title=split, content=content)

    def take_inventory(self) -> Inventory:
        """The files of the pairs. Their fingerprint is kept, so that a cache need not look at all files again."""
        files = self.pairs.inventory()
        self.fingerprint = files.fingerprint
        return files

    def state_dict(self) -> dict[str, int]:
        """How many processes and pairs make a step. A run that resumes with others converts its position by them."""
        return self.epoch_layout()._asdict()

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Keeps the saved layout until `train_dataloader`, when Lightning has restored its counts."""
        self.saved_layout = EpochLayout(**state_dict)

    def epoch_layout(self) -> EpochLayout:
        """The number of processes and pairs of a step, and of pairs in an epoch."""
        return EpochLayout(self._trainer().world_size, self.batch_size, len(self.training.pairs))

    def train_dataloader(self) -> ResumableLoader:
        """Loads the rest of the trainer's current epoch."""
        trainer = self._trainer()
        warning = convert_progress(trainer, self.saved_layout, self.epoch_layout())
        if self.saved_layout is not None:
            align_progress(trainer, self.epoch_layout())
        self.saved_layout = None
        if warning and trainer.is_global_zero:
            log.warning(warning)
        overfits = getattr(trainer, "overfit_batches", 0) > 0

        def begin() -> tuple[int, int]:
            epoch, batch = find_position(trainer, self.epoch_layout())
            return (0 if overfits else epoch), batch  # overfit_batches: every epoch is the first again

        batches = EpochBatches(
            len(self.training.pairs),
            self.batch_size,
            self.seed,
            begin,
            rank=trainer.global_rank,
            processes=trainer.world_size,
            order=natural_order if overfits else self.pairs.order,
            workers=self.workers,
        )
        # Pinned, stacked batches reach a GPU while it computes. Pairs that are cached on the device are there already.
        to_gpu = trainer.strategy.root_device.type == "cuda" and self.cache.kind != "device"
        return ResumableLoader(
            self.training,
            batch_sampler=batches,
            collate_fn=collate_stack if self.workers or to_gpu else collate_list,
            num_workers=self.workers,
            worker_init_fn=ignore_stop_signals,
            persistent_workers=self.workers > 0,
            pin_memory=to_gpu,
        )

    def first_batch(self) -> Pair:
        """The first training batch of a run on one device, as the networks get it, on the CPU. Reads it from the files.

        Raises:
            ValueError, OSError: for a pair that cannot be read.
        """
        batches = EpochBatches(
            len(self.training.pairs), self.batch_size, self.seed, lambda: (0, 0), order=self.pairs.order
        )
        return self.transform.augment_batch(*collate_list([self.training[draw] for draw in next(iter(batches))]))

    def val_dataloader(self) -> DataLoader[Pair]:
        """The validation pairs, all of them on every process."""
        return DataLoader(self.validation, batch_size=self.validation_batch)

    def transfer_batch_to_device(
        self, batch: TrainingBatch | Pair, device: torch.device, dataloader_idx: int
    ) -> TrainingBatch | Pair:
        """Moves a batch to a GPU. On the CPU it spares Lightning's search for tensors, 0.1 ms for each batch."""
        return batch if device.type == "cpu" else super().transfer_batch_to_device(batch, device, dataloader_idx)

    def on_after_batch_transfer(self, batch: TrainingBatch | Pair, dataloader_idx: int) -> Pair:
        """Augments a training batch on its device."""
        return self.transform.augment_batch(*batch) if isinstance(batch, TrainingBatch) else batch

    def _trainer(self) -> pl.Trainer:
        assert self.trainer is not None
        return self.trainer


def natural_order(seed: int, epoch: int, length: int) -> np.ndarray:
    """The natural order of the pairs, in every epoch."""
    return np.arange(length)
