"""Pairs and inputs for validations, evaluations and samples: no augmentation, in natural order."""

from collections.abc import Sequence

from torch.utils.data import Dataset

from pix2pix.data.cache.preload import ResizedPairs
from pix2pix.data.pair import LOOK_AHEAD, InputAlone, Pair, read_ahead
from pix2pix.data.transforms import PairTransform


class EvaluationPairs(Dataset[Pair]):
    """Pairs for evaluation, in [-1, 1] and in natural order."""

    def __init__(self, pairs: Sequence[Pair], transform: PairTransform) -> None:
        self.pairs, self.transform = pairs, transform
        self.resized: Sequence[Pair] = ResizedPairs(pairs, transform.resize_for_eval)  # a cache may replace it

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Pair:
        read_ahead(self.resized, range(index, min(index + LOOK_AHEAD, len(self))))
        source, target, name = self.resized[index]
        batch = self.transform.normalize_batch(Pair(source[None], target[None], name))
        return Pair(batch.source[0], batch.target[0], name)


class EvaluationInputs(Dataset[InputAlone]):
    """Inputs without targets, in [-1, 1] and in natural order."""

    def __init__(self, inputs: Sequence[InputAlone], transform: PairTransform) -> None:
        self.inputs, self.transform = inputs, transform

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int) -> InputAlone:
        return self.transform.transform_input(self.inputs[index])
