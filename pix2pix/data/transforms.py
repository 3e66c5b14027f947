"""Turns a pair into a training pair: loads and resizes it, then draws one random view for both images.

| stage | what | result |
|---|---|---|
| `load`, `load_plain` | resizes, a function of the pair alone: what a cache may keep | the files' own type of pixels |
| `draw` | one random record for both images, a few numbers | `View` |
| `augmented`, `scaled` | cuts, turns and colours whole batches as drawn; or leaves them | float32 in [-1, 1] |
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from pix2pix.data.augmentation import Augment, Images, View, cut, draw_view, recoloured, turned
from pix2pix.data.images.palettes import Palette, PaletteChoice
from pix2pix.data.images.resize import Preprocess, Size, evaluated, fitted
from pix2pix.data.images.value_range import Limits, scale
from pix2pix.data.pair import Pair

Pixels = Annotated[int, Field(ge=1)]


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
        preprocess: how pictures are brought to the load size; see `pix2pix.data.images.resize`.
        mirror: whether to flip left and right with probability one half.
        augment: how far to rotate, scale and recolour at random; None for not at all.
        labels: which image is a label map, and turned by its nearest pixels.
        source_palette: codes the source, a label map, with a channel for each class; None leaves its colours.
        target_palette: likewise for the target.
        source_range: the values of the source that become -1 and 1; beyond them it is cut. None: all that its type
            can hold, and 0 to 1 for floats.
        target_range: likewise for the target.
    """

    def __init__(
        self,
        *,
        height: Pixels,
        width: Pixels,
        load_height: Pixels,
        load_width: Pixels,
        preprocess: Preprocess = "resize_and_crop",
        mirror: bool = True,
        augment: Augment | None = None,
        labels: Literal["source", "target"] | None = None,
        source_palette: PaletteChoice | None = None,
        target_palette: PaletteChoice | None = None,
        source_range: Limits | None = None,
        target_range: Limits | None = None,
    ) -> None:
        self.size, self.load_size = (height, width), (load_height, load_width)
        self.preprocess: Preprocess = preprocess
        self.mirror, self.reach = mirror, Augment.model_validate(augment or {})
        self.source = Coding(source_palette, source_range, labels=labels == "source")
        self.target = Coding(target_palette, target_range, labels=labels == "target")

    def load(self, pair: Pair) -> Pair:
        """Both images as crops are cut from them."""
        load, size, how = self.load_size, self.size, self.preprocess
        return self._each(pair, lambda image, labels: fitted(image, load, size, how, labels=labels))

    def load_plain(self, pair: Pair) -> Pair:
        """Both images at the size of the network, or at their own in mode `none`."""
        return self._each(pair, lambda image, labels: evaluated(image, self.size, self.preprocess, labels=labels))

    def draw(self, loaded: Pair, random: np.random.Generator) -> View:
        """A corner, in half of the cases a mirror, and what `augment` allows."""
        image = loaded.source
        return draw_view(image.shape[-2:], self._crop(image), self.reach, self.mirror, random)

    def augmented(self, loaded: Pair, views: Sequence[View]) -> Pair:
        """The views, the source in other colours."""
        source = self._viewed(loaded.source, views, self.source)
        target = self._viewed(loaded.target, views, self.target)
        return Pair(recoloured(source, views) if self.reach.colours else source, target, loaded.name)

    def scaled(self, loaded: Pair) -> Pair:
        """Both images as they are."""
        return Pair(self.source(loaded.source), self.target(loaded.target), loaded.name)

    def _viewed(self, images: Images, views: Sequence[View], coding: "Coding") -> Tensor:
        size = self._crop(images[0])
        if not self.reach.turns:
            return coding(cut(images, views, size))
        batches = [images] if isinstance(images, Tensor) else [image[None] for image in images]
        parts = [views] if isinstance(images, Tensor) else [[view] for view in views]
        scaled = [coding.scaled(batch) for batch in batches]
        return coding.classes(
            torch.cat([turned(b, v, size, labels=coding.labels) for b, v in zip(scaled, parts, strict=True)])
        )

    def _crop(self, image: Tensor) -> Size:
        return (image.shape[-2], image.shape[-1]) if self.preprocess == "none" else self.size

    def _each(self, pair: Pair, fit: Callable[[Tensor, bool], Tensor]) -> Pair:
        try:
            self.source.require_range(pair.source, "source")
            self.target.require_range(pair.target, "target")
            source = fit(pair.source, self.source.palette is not None)
            target = fit(pair.target, self.target.palette is not None)
        except ValueError as error:
            raise ValueError(f"pair {pair.name}: {error}") from error
        if source.shape[1:] != target.shape[1:]:
            (h, w), (height, width) = source.shape[1:], target.shape[1:]
            raise ValueError(
                f"pair {pair.name}: its source is {h}x{w}, its target {height}x{width}; in mode {self.preprocess} they "
                "must agree. Resize the files, or set data.preprocess=resize_and_crop."
            )
        return Pair(source, target, pair.name)


class Coding:
    """How one image of a pair becomes float32 in [-1, 1]: by the range of its values, or the classes of a palette."""

    def __init__(self, palette: PaletteChoice | None, limits: Limits | None, *, labels: bool = False) -> None:
        self.palette = Palette(palette) if palette else None
        self.limits, self.labels = limits, labels

    def __call__(self, pixels: Tensor) -> Tensor:
        """Pixels (B, C, H, W) of any type as the networks see them."""
        return coded(pixels, self.palette, self.limits)

    def scaled(self, pixels: Tensor) -> Tensor:
        """The pixels in [-1, 1]."""
        return scale(pixels, self.limits)

    def classes(self, image: Tensor) -> Tensor:
        """A channel for each class of the palette, where there is one."""
        return image if self.palette is None else self.palette.one_hot(self.palette.read(image))

    def require_range(self, pixels: Tensor, which: str) -> None:
        """Raises ValueError for floats beyond 0 to 1, unless their range was given."""
        if self.limits is None and pixels.dtype == torch.float32 and self.palette is None:
            low, high = float(pixels.min()), float(pixels.max())
            if low < 0 or high > 1:
                raise ValueError(
                    f"its {which} holds values from {low:g} to {high:g}. Set data.{which}_range=[LOW,HIGH] to the "
                    "range of your data; without it floats are taken to lie between 0 and 1."
                )


def coded(pixels: Tensor, palette: Palette | None, limits: Limits | None = None) -> Tensor:
    """Pixels (..., C, H, W) to float32 in [-1, 1]: their own channels, or one for each class of the palette."""
    image = scale(pixels, limits)
    return image if palette is None else palette.one_hot(palette.read(image))


def _batch_of(pair: Pair) -> Pair:
    return Pair(pair.source[None], pair.target[None], pair.name)


def _first(batch: Pair) -> Pair:
    return Pair(batch.source[0], batch.target[0], batch.name)
