"""Derives every random draw from the seed and the position in training, so no RNG state needs to be saved.

| what | drawn from |
|---|---|
| initial weights | seed |
| order of an epoch | seed, epoch |
| augmentation of a pair | seed, epoch, index |
| dropout and penalties of a step | seed, step, rank |
| what callbacks draw | seed, hook, step, rank |
| holes and noise of derived inputs | seed of the data, name of the picture |
| the same, drawn anew in training | seed, epoch, index |
| dropout at test time | inference seed, name of the picture |
| resamples of a bootstrap interval | number of pictures |
"""

import hashlib
import random
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch

Purpose = Literal[
    "weights",
    "order",
    "augmentation",
    "step",
    "callbacks",
    "inference",
    "derivation",
    "validation",
    "bootstrap",
    "signs",
]


def derive_seed(seed: int, purpose: Purpose, *position: int | str) -> int:
    """A 64-bit seed for one purpose at one position; equal arguments give equal seeds on every machine."""
    # A hash, because a sum would be the same for several positions.
    key = repr((seed, purpose, *position)).encode()
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") >> 1  # torch's seeds are signed


def epoch_order(seed: int, epoch: int, length: int) -> np.ndarray:
    """The order in which epoch number `epoch` visits `length` pairs, a permutation of range(length)."""
    return np.random.default_rng(derive_seed(seed, "order", epoch)).permutation(length)


def windowed_order(seed: int, epoch: int, sizes: Sequence[int], window: int) -> np.ndarray:
    """An order that stays within `window` blocks of pairs at a time; `sizes` are those of the blocks.

    The blocks are shuffled, then the pairs of each `window` blocks in a row. One window is `epoch_order`.
    """
    if len(sizes) <= window:
        return epoch_order(seed, epoch, sum(sizes))
    draws = np.random.default_rng(derive_seed(seed, "order", epoch))
    # The indices of each block; the blocks in random order; the indices within each window of blocks in random order.
    blocks = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
    shuffled = [blocks[block] for block in draws.permutation(len(sizes))]
    windows = [np.concatenate(shuffled[start : start + window]) for start in range(0, len(sizes), window)]
    return np.concatenate([draws.permutation(pairs) for pairs in windows])


def pair_generator(seed: int, epoch: int, index: int) -> np.random.Generator:
    """The source of the one random draw that both images of pair `index` share in epoch `epoch`."""
    return np.random.default_rng(derive_seed(seed, "augmentation", epoch, index))


def derivation_generator(seed: int, epoch: int, index: int) -> np.random.Generator:
    """The source of the hole or the noise that the input of pair `index` gets in epoch `epoch`."""
    return np.random.default_rng(derive_seed(seed, "derivation", epoch, index))


def seed_weights(seed: int) -> None:
    """Seeds the initialisation of the networks."""
    seed_all(derive_seed(seed, "weights"))


def seed_step(seed: int, step: int, rank: int) -> None:
    """Seeds dropout and gradient penalties of training step `step` on process `rank`, on every device."""
    seed_all(derive_seed(seed, "step", step, rank))


def seed_callbacks(seed: int, hook: str, step: int, rank: int) -> None:
    """Seeds what callbacks draw in a hook of Lightning, after `step` training steps."""
    seed_all(derive_seed(seed, "callbacks", hook, step, rank))


def seed_all(value: int) -> None:
    """Seeds the global generators of torch on every device, of NumPy and of Python: parts of users draw from any."""
    random.seed(value)
    np.random.seed(value % 2**32)
    torch.default_generator.manual_seed(value)
    # torch.manual_seed would do all, but it formats a stack trace for each kind of device that the machine lacks.
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(value)
    elif torch.accelerator.is_available():
        torch.manual_seed(value)
