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
from pix2pix.data.palettes import Palette, PaletteChoice
from pix2pix.data.pixels import TYPES, Depth

Pixels = Annotated[int, Field(ge=1)]
Limits = tuple[float, float]
WHOLE: dict[torch.dtype, Limits] = {torch.uint8: (0, 255), torch.uint16: (0, 65535), torch.float32: (0, 1)}


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
        mirror: bool = True,
        source_palette: PaletteChoice | None = None,
        target_palette: PaletteChoice | None = None,
        source_range: Limits | None = None,
        target_range: Limits | None = None,
    ) -> None:
        self.size = height, width
        self.load_size = load_height, load_width
        self.mirror = mirror
        self.palettes = [Palette(choice) if choice else None for choice in (source_palette, target_palette)]
        self.ranges = source_range, target_range

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
            coded(view(images), palette, limits)
            for images, palette, limits in zip(loaded[:2], self.palettes, self.ranges, strict=True)
        )
        return Pair(source, target, loaded.name)


def cut(images: Tensor | Sequence[Tensor], views: Sequence[View], size: tuple[int, int]) -> Tensor:
    """The crops (B, C, *size) of images (C, H, W) at the corners of their views, mirrored where the view says so."""
    crops = []
    for image, view in zip(images, views, strict=True):
        rows, columns = slice(view.top, view.top + size[0]), slice(view.left, view.left + size[1])
        crops.append(mirrored(image[:, rows, columns]) if view.mirror else image[:, rows, columns])
    return torch.stack(crops)


def mirrored(image: Tensor) -> Tensor:
    """(C, H, W) with left and right exchanged."""
    if image.dtype != torch.uint16:
        return image.flip(-1)
    return image.view(torch.int16).flip(-1).view(torch.uint16)  # which torch cannot flip by itself


def coded(image: Tensor, palette: Palette | None, limits: Limits | None = None) -> Tensor:
    """Pixels (..., C, H, W) to float32 in [-1, 1]: their own channels, or one for each class of the palette."""
    return scale(image, limits) if palette is None else palette.one_hot(palette.read(scale(image)))


def resize(image: Tensor, size: tuple[int, int], *, labels: bool = False) -> Tensor:
    """(C, H, W) to (C, *size): bicubic and antialiased, or the nearest pixel where labels must not mix.

    Their type is kept. Bytes are resized as bytes; wider integers as float32, and rounded.
    """
    if image.shape[1:] == size:
        return image
    if labels:
        return F.interpolate(image[None], size, mode="nearest-exact")[0]
    if image.dtype == torch.uint8:
        return F.interpolate(image[None], size, mode="bicubic", antialias=True)[0]
    resized = F.interpolate(image[None].to(torch.float32), size, mode="bicubic", antialias=True)[0]
    if image.dtype.is_floating_point:
        return resized
    limits = torch.iinfo(image.dtype)
    return resized.double().round().clamp(limits.min, limits.max).to(image.dtype)


def scale(image: Tensor, limits: Limits | None = None) -> Tensor:
    """Pixels to float32 in [-1, 1]: the whole range of their type, or from the first limit to the second, cut there."""
    low, high = limits or WHOLE[image.dtype]
    wide = image.to(torch.float64 if image.dtype == torch.int32 else torch.float32, copy=True)  # which has 24 bits
    scaled = wide.sub_(low).div_((high - low) / 2).sub_(1).to(torch.float32)
    return scaled if limits is None else scaled.clamp_(-1, 1)


def unscale(image: Tensor, depth: Depth, limits: Limits | None = None) -> np.ndarray:
    """An image (C, H, W) in [-1, 1] as the pixels (H, W, C) that `scale` would make it of, rounded to integers."""
    low, high = limits or WHOLE[torch.from_numpy(np.empty(0, TYPES[depth])).dtype]
    values = (image.detach().cpu().double().clamp(-1, 1) + 1) * ((high - low) / 2) + low
    pixels = values.permute(1, 2, 0).numpy()
    return pixels.astype(TYPES[depth]) if depth == "float" else np.rint(pixels).astype(TYPES[depth])


def _batch_of(pair: Pair) -> Pair:
    return Pair(pair.source[None], pair.target[None], pair.name)


def _first(batch: Pair) -> Pair:
    return Pair(batch.source[0], batch.target[0], batch.name)
