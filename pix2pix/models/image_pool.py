"""Outputs of earlier steps, which keep a discriminator from forgetting them."""

from typing import Any

import torch
from torch import Tensor

Pair = tuple[Tensor, Tensor, Tensor]
"""A source, its target and the output for it, each (C, H, W)."""


class ImagePool:
    """Exchanges half of D's pairs for pairs of earlier steps (Shrivastava et al., arXiv 1612.07828, section 2.3).

    As in CycleGAN, a full pool returns a pair as it is or, one time in two, one of its own, which the pair replaces. A
    pair leaves the pool as a whole, so that D sees the target and the output of the same source.

    Args:
        size: how many pairs it holds; 50 in CycleGAN.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.pairs: list[Pair] = []

    def exchange(self, source: Tensor, target: Tensor, fake: Tensor) -> Pair:
        """The pairs of a batch, (B, C, H, W) each, some of them exchanged."""
        chosen = [self._exchange_pair((*pair,)) for pair in zip(source, target, fake, strict=True)]  # pyright: ignore
        sources, targets, fakes = (
            torch.stack([part.to(source.device) for part in parts]) for parts in zip(*chosen, strict=True)
        )
        return sources, targets, fakes

    def _exchange_pair(self, pair: Pair) -> Pair:
        # Clones: a part of a batch would keep the memory of the batch.
        own = pair[0].clone(), pair[1].clone(), pair[2].clone()
        if len(self.pairs) < self.size:
            self.pairs.append(own)
            return pair
        # On the CPU, whose generator the training seeds for each step as well: the choice decides what Python does.
        if torch.rand(()) < 0.5:
            return pair
        place = int(torch.randint(self.size, ()))
        earlier, self.pairs[place] = self.pairs[place], own
        return earlier

    def state_dict(self) -> dict[str, Any]:
        """The pairs, stacked: sources, targets, outputs."""
        return {"pairs": [torch.stack(parts) for parts in zip(*self.pairs, strict=True)]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the pairs."""
        self.pairs = [(*parts,) for parts in zip(*state["pairs"], strict=True)]
