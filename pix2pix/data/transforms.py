"""Pair -> training pair, in two stages: loading, the same every time, and one random view for both images.

| stage | what | result |
|---|---|---|
| `load`, `load_plain` | resizes, a function of the pair alone: what a cache may keep | the files' own type of pixels |
| `draw` | one random record for both images, a few numbers | `View` |
| `augmented`, `scaled` | cuts and mirrors as drawn, whole batches at once; or nothing at all | float32 in [-1, 1] |
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Annotated, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from pix2pix.data.pairs import Pair
from pix2pix.data.palettes import Palette

Pixels = Annotated[int, Field(ge=1)]


class View(NamedTuple):
    """One random draw, shared by both images of a pair: the corner of the crop, and whether it is mirrored."""

    top: int
    left: int
    mirror: bool


class PairTransform(ABC):
    """Brings a decoded pair to the size of the network, with or without augmentation."""

    @abstractmethod
    def load(self, pair: Pair) -> Pair:
        """The pair at the size that views are cut from; no randomness, and the type of its pixels is kept."""

    @abstractmethod
    def load_plain(self, pair: Pair) -> Pair:
        """Likewise at the size it is evaluated at."""

    @abstractmethod
    def draw(self, loaded: Pair, random: np.random.Generator) -> View:
        """A random view of a loaded pair; all randomness comes from `random`."""

    @abstractmethod
    def augmented(self, loaded: Pair, views: Sequence[View]) -> Pair:
        """The views of a batch of loaded pairs (B, C, H, W), as float32 (B, C', height, width) in [-1, 1].

        The pairs are stacked, or a list of (C, H, W) where their sizes differ; on whichever device they are.
        """

    @abstractmethod
    def scaled(self, loaded: Pair) -> Pair:
        """A batch of pairs of `load_plain` (B, C, H, W) as it is, as float32 in [-1, 1]."""

    def augment(self, pair: Pair, random: np.random.Generator) -> Pair:
        """A random view of one pair, from its files' pixels to [-1, 1]."""
        loaded = self.load(pair)
        return _first(self.augmented(_batch_of(loaded), [self.draw(loaded, random)]))

    def plain(self, pair: Pair) -> Pair:
        """The view of one pair that is evaluated, from its files' pixels to [-1, 1]."""
        return _first(self.scaled(_batch_of(self.load_plain(pair))))


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

    def load(self, pair: Pair) -> Pair:
        """Both images at the load size."""
        return self._resized(pair, self.load_size)

    def load_plain(self, pair: Pair) -> Pair:
        """Both images at the size of the network."""
        return self._resized(pair, self.size)

    def draw(self, loaded: Pair, random: np.random.Generator) -> View:
        """A corner, and in half of the cases a mirror."""
        (height, width), (load_height, load_width) = self.size, loaded.source.shape[-2:]
        top, left = int(random.integers(load_height - height + 1)), int(random.integers(load_width - width + 1))
        return View(top, left, bool(random.integers(2)) and self.mirror)

    def augmented(self, loaded: Pair, views: Sequence[View]) -> Pair:
        """The crops at the views' corners."""
        return self._each(loaded, lambda images: cut(images, views, self.size))

    def scaled(self, loaded: Pair) -> Pair:
        """Both images as they are."""
        return self._each(loaded, lambda images: images)

    def _resized(self, pair: Pair, size: tuple[int, int]) -> Pair:
        source, target = (
            resize(image, size, labels=palette is not None)
            for image, palette in zip(pair[:2], self.palettes, strict=True)
        )
        return Pair(source, target, pair.name)

    def _each(self, loaded: Pair, view: Callable[[Tensor], Tensor]) -> Pair:
        source, target = (
            coded(view(images), palette) for images, palette in zip(loaded[:2], self.palettes, strict=True)
        )
        return Pair(source, target, loaded.name)


def cut(images: Tensor | Sequence[Tensor], views: Sequence[View], size: tuple[int, int]) -> Tensor:
    """The crops (B, C, *size) of images (C, H, W) at the corners of their views, mirrored where the view says so."""
    crops = []
    for image, view in zip(images, views, strict=True):
        crop = image[:, view.top : view.top + size[0], view.left : view.left + size[1]]
        crops.append(crop.flip(-1) if view.mirror else crop)
    return torch.stack(crops)


def coded(image: Tensor, palette: Palette | None) -> Tensor:
    """uint8 (..., C, H, W) to float32 in [-1, 1]: its own channels, or one for each class of the palette."""
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


def _batch_of(pair: Pair) -> Pair:
    return Pair(pair.source[None], pair.target[None], pair.name)


def _first(batch: Pair) -> Pair:
    return Pair(batch.source[0], batch.target[0], batch.name)
