"""Pair -> training pair: one random draw of size, crop and mirror, the same for both images; then [-1, 1]."""

from abc import ABC, abstractmethod
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from pix2pix.data.pairs import Pair

Pixels = Annotated[int, Field(ge=1)]


class PairTransform(ABC):
    """Brings a decoded pair to the size of the network, with or without augmentation."""

    @abstractmethod
    def augment(self, pair: Pair, random: np.random.Generator) -> Pair:
        """A random view of the pair; all randomness comes from `random`."""

    @abstractmethod
    def plain(self, pair: Pair) -> Pair:
        """The view used to evaluate."""


class JitterAndMirror(PairTransform):
    """Resize to the load size, crop at random, mirror half of the time (paper, section 6.2: 286 -> 256).

    Args:
        height: height of the result in pixels, likewise `width`.
        width: see above.
        load_height: height before the crop; equal to `height` for no jitter.
        load_width: see above.
        mirror: whether to flip left and right with probability one half.
    """

    def __init__(
        self, *, height: Pixels, width: Pixels, load_height: Pixels, load_width: Pixels, mirror: bool = True
    ) -> None:
        self.size = height, width
        self.load_size = load_height, load_width
        self.mirror = mirror

    def augment(self, pair: Pair, random: np.random.Generator) -> Pair:
        """One draw of corner and mirror for both images."""
        (height, width), (load_height, load_width) = self.size, self.load_size
        top, left = int(random.integers(load_height - height + 1)), int(random.integers(load_width - width + 1))
        mirror = bool(random.integers(2)) and self.mirror

        def view(image: Tensor) -> Tensor:
            image = resize(image, self.load_size)[:, top : top + height, left : left + width]
            return scale(image.flip(-1) if mirror else image)

        return Pair(view(pair.source), view(pair.target), pair.name)

    def plain(self, pair: Pair) -> Pair:
        """Both images resized to the size of the network."""
        return Pair(scale(resize(pair.source, self.size)), scale(resize(pair.target, self.size)), pair.name)


def resize(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Bicubic, antialiased; uint8 (C, H, W) to uint8 (C, *size)."""
    if image.shape[1:] == size:
        return image
    return F.interpolate(image[None], size, mode="bicubic", antialias=True)[0]


def scale(image: Tensor) -> Tensor:
    """uint8 to float32 in [-1, 1]."""
    return image.to(torch.float32).div_(127.5).sub_(1)
