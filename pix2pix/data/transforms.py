"""Pair -> training pair: one random draw of size, crop and mirror, the same for both images; then [-1, 1]."""

from abc import ABC, abstractmethod
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from pix2pix.data.pairs import Pair
from pix2pix.data.palettes import Palette

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
        source_palette: codes the source, a label map, with a channel for each class; None leaves its colours.
        target_palette: likewise for the target.
    """

    def __init__(
        self,
        *,
        height: Pixels,
        width: Pixels,
        load_height: Pixels,
        load_width: Pixels,
        mirror: bool = True,
        source_palette: str | None = None,
        target_palette: str | None = None,
    ) -> None:
        self.size = height, width
        self.load_size = load_height, load_width
        self.mirror = mirror
        self.palettes = [Palette(name) if name else None for name in (source_palette, target_palette)]

    def augment(self, pair: Pair, random: np.random.Generator) -> Pair:
        """One draw of corner and mirror for both images."""
        (height, width), (load_height, load_width) = self.size, self.load_size
        top, left = int(random.integers(load_height - height + 1)), int(random.integers(load_width - width + 1))
        mirror = bool(random.integers(2)) and self.mirror

        def view(image: Tensor, palette: Palette | None) -> Tensor:
            image = resize(image, self.load_size, labels=palette is not None)
            image = image[:, top : top + height, left : left + width]
            return coded(image.flip(-1) if mirror else image, palette)

        return Pair(view(pair.source, self.palettes[0]), view(pair.target, self.palettes[1]), pair.name)

    def plain(self, pair: Pair) -> Pair:
        """Both images resized to the size of the network."""

        def view(image: Tensor, palette: Palette | None) -> Tensor:
            return coded(resize(image, self.size, labels=palette is not None), palette)

        return Pair(view(pair.source, self.palettes[0]), view(pair.target, self.palettes[1]), pair.name)


def coded(image: Tensor, palette: Palette | None) -> Tensor:
    """uint8 (C, H, W) to float32 in [-1, 1]: its own channels, or one for each class of the palette."""
    return scale(image) if palette is None else palette.one_hot(palette.read(scale(image)))


def resize(image: Tensor, size: tuple[int, int], *, labels: bool = False) -> Tensor:
    """uint8 (C, H, W) to uint8 (C, *size): bicubic and antialiased, or the nearest pixel where labels must not mix."""
    if image.shape[1:] == size:
        return image
    if labels:
        return F.interpolate(image[None], size, mode="nearest-exact")[0]
    return F.interpolate(image[None], size, mode="bicubic", antialias=True)[0]


def scale(image: Tensor) -> Tensor:
    """uint8 to float32 in [-1, 1]."""
    return image.to(torch.float32).div_(127.5).sub_(1)
