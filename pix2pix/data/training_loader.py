"""Collates training batches, and loads them from any place within an epoch."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch.utils.data import DataLoader

from pix2pix.data.pair import Pair
from pix2pix.data.transforms import View


class TrainingBatch(NamedTuple):
    """A batch before its augmentation: resized pairs, and a view of each."""

    pairs: Any  # a Pair whose images are stacked or in lists
    views: list[View]


def collate_list(examples: Sequence[tuple[Pair, View]]) -> TrainingBatch:
    """Collates pairs and views into lists, without the cost of a copy."""
    pairs, views = zip(*examples, strict=True)
    batch: list[Any] = [list(part) for part in zip(*pairs, strict=True)]
    return TrainingBatch(Pair(*batch), list(views))


def collate_stack(examples: Sequence[tuple[Pair, View]]) -> TrainingBatch:
    """Collates pairs and views, and stacks images of equal sizes: one tensor is faster to send than many."""
    (source, target, names), views = collate_list(examples)
    return TrainingBatch(Pair(_stack(source), _stack(target), names), views)


def _stack(images: Any) -> Any:
    """(B, C, H, W), or the list if sizes differ."""
    return torch.stack(images) if len({image.shape for image in images}) == 1 else images


class ResumableLoader(DataLoader[tuple[Pair, View]]):
    """A loader that can start within an epoch. Its position follows from the trainer's, so it has no state to save."""

    def state_dict(self) -> dict[str, int]:
        """Nothing, but it must exist: without it Lightning warns that the loader cannot resume within an epoch."""
        return {}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Nothing to restore."""
