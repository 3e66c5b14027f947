"""Resizes a pair, samples one random view for both of its images, and normalises batches to [-1, 1].

| method | does | gives |
|---|---|---|
| `resize_for_training`, `resize_for_eval` | resizes; not random, so a cache may keep it | pixels of the files' type |
| `sample_view` | samples crop, mirror and augmentation once for both images | `View` |
| `augment_batch`, `normalize_batch` | applies views to a batch; applies none | float32 in [-1, 1] |
"""

import functools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from pix2pix.data.augmentation import Augment, Images, View, color_jitter, crop, sample_view
from pix2pix.data.encoding import Encoding, make_encoding
from pix2pix.data.images.class_colours import PaletteChoice
from pix2pix.data.images.input_kinds import Inputs
from pix2pix.data.images.resize import Pixels, Preprocess, Size, center_crop, resize_for_eval, resize_for_training
from pix2pix.data.images.value_range import Limits
from pix2pix.data.pair import InputAlone, Pair


class PairTransform(ABC):
    """Brings decoded pairs to the size and value range of the networks, with or without augmentation.

    `random` below is the only source of randomness. A batch is a `Pair` whose images are stacked (B, C, H, W), or lists
    of (C, H, W) where sizes differ, on any device.
    """

    @abstractmethod
    def resize_for_training(self, pair: Pair) -> Pair:
        """The pair at the size before the random crop. Depends on the pair alone and keeps the type of its pixels."""

    @abstractmethod
    def resize_for_eval(self, pair: Pair) -> Pair:
        """The pair at the size for evaluation. Depends on the pair alone and keeps the type of its pixels."""

    @abstractmethod
    def sample_view(self, resized: Pair, random: np.random.Generator) -> View:
        """Samples one view, for both images of a pair from `resize_for_training`."""

    @abstractmethod
    def augment_batch(self, resized: Pair, views: Sequence[View]) -> Pair:
        """One view of each pair of a batch, as float32 (B, C', height, width) in [-1, 1]."""

    @abstractmethod
    def normalize_batch(self, resized: Pair) -> Pair:
        """A batch from `resize_for_eval` (B, C, H, W) as float32 in [-1, 1]."""

    def transform_input(self, alone: InputAlone) -> InputAlone:
        """An input without a target as the source of a pair for evaluation."""
        return alone._replace(source=self.transform_for_eval(Pair(alone.source, alone.source, alone.name)).source)

    def transform_for_training(self, pair: Pair, random: np.random.Generator) -> Pair:
        """One random view of one pair, from the pixels of its files to [-1, 1]."""
        resized = self.resize_for_training(pair)
        return _first(self.augment_batch(_batch_of(resized), [self.sample_view(resized, random)]))

    def transform_for_eval(self, pair: Pair) -> Pair:
        """One pair for evaluation, from the pixels of its files to [-1, 1]."""
        return _first(self.normalize_batch(_batch_of(self.resize_for_eval(pair))))


class JitterAndMirror(PairTransform):
    """Resize to the load size, crop at random, mirror half of the time (paper, section 6.2: 286 -> 256).

    Args:
        height: height of the result in pixels.
        width: width of the result in pixels.
        load_height: height before the crop; equal to `height` for no jitter.
        load_width: width before the crop; equal to `width` for no jitter.
        preprocess: how pictures are brought to the load size; see `pix2pix.data.images.resize`.
        mirror: whether to flip left and right with probability one half.
        vertical_flip: whether to flip top and bottom with probability one half.
        quarter_turns: whether to turn by 0, 90, 180 or 270 degrees, each with the same probability; for square sizes.
        augment: how far to rotate, scale and recolour at random; None for not at all.
        label_map: which image is a label map, and is rotated and scaled by its nearest pixels.
        source_palette: encodes the source, a label map, with one channel per class; None keeps its colours.
        target_palette: the same for the target.
        source_range: the values of the source that become -1 and 1; values beyond them are clipped. None stands for
            the whole range of an integer type, and for 0 to 1 of floats.
        target_range: the same for the target.
        source_inputs: what the files of a source hold that joins label maps or boundaries with pictures; None for
            other sources.
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
        vertical_flip: bool = False,
        quarter_turns: bool = False,
        augment: Augment | None = None,
        label_map: Literal["source", "target"] | None = None,
        source_palette: PaletteChoice | None = None,
        target_palette: PaletteChoice | None = None,
        source_range: Limits | None = None,
        target_range: Limits | None = None,
        source_inputs: Inputs | None = None,
    ) -> None:
        self.size, self.load_size = (height, width), (load_height, load_width)
        self.preprocess: Preprocess = preprocess
        self.mirror, self.augment = mirror, Augment.model_validate(augment or {})
        self.vertical_flip, self.quarter_turns = vertical_flip, quarter_turns
        self.source = make_encoding(source_palette, source_range, source_inputs, is_label_map=label_map == "source")
        self.target = make_encoding(target_palette, target_range, is_label_map=label_map == "target")

    def resize_for_training(self, pair: Pair) -> Pair:
        """Both images at the load size, as far as `preprocess` uses it."""
        return self._resize_both(pair, self.load_size)

    def resize_for_eval(self, pair: Pair) -> Pair:
        """Both images at the size of the network, or at their own in mode `none`."""
        resized = self._resize_both(pair, self.size)
        if self.preprocess == "none":
            return resized
        return Pair(center_crop(resized.source, self.size), center_crop(resized.target, self.size), pair.name)

    def transform_input(self, alone: InputAlone) -> InputAlone:
        """An input without a target as the source of a pair for evaluation."""
        self.source.require_range(alone.source, "source")
        resize = functools.partial(resize_for_eval, size=self.size, preprocess=self.preprocess)
        source = self.source.resize(alone.source, resize)
        return alone._replace(source=self.source.encode(source[None])[0])

    def sample_view(self, resized: Pair, random: np.random.Generator) -> View:
        """A corner, a mirror in half of the cases, and what the other settings allow."""
        image = resized.source
        return sample_view(
            *(image.shape[-2:], self._crop_size(image), self.augment, self.mirror, random),
            vertical_flip=self.vertical_flip,
            quarter_turns=self.quarter_turns,
        )

    def augment_batch(self, resized: Pair, views: Sequence[View]) -> Pair:
        """The views; brightness and colours change in the source alone."""
        source = self._apply_views(resized.source, views, self.source)
        target = self._apply_views(resized.target, views, self.target)
        return Pair(color_jitter(source, views) if self.augment.changes_colours else source, target, resized.name)

    def normalize_batch(self, resized: Pair) -> Pair:
        """Both images in [-1, 1], otherwise unchanged."""
        return Pair(self.source.encode(resized.source), self.target.encode(resized.target), resized.name)

    def _apply_views(self, images: Images, views: Sequence[View], encoding: Encoding) -> Tensor:
        size = self._crop_size(images[0])
        # A crop without rotation cuts the pixels of the file, one memory copy, before they become floats.
        if not self.augment.resamples:
            return encoding.encode(crop(images, views, size))
        if isinstance(images, Tensor):
            return encoding.encode_views(images, views, size)
        # images of several sizes are sampled one by one
        parts = [self._apply_views(image[None], [view], encoding) for image, view in zip(images, views, strict=True)]
        return torch.cat(parts)

    def _crop_size(self, image: Tensor) -> Size:
        return (image.shape[-2], image.shape[-1]) if self.preprocess == "none" else self.size

    def _resize_both(self, pair: Pair, size: Size) -> Pair:
        """Resizes both images. Raises ValueError that names the pair for values or sizes that do not fit."""
        resize = functools.partial(resize_for_training, load_size=size, crop_size=self.size, preprocess=self.preprocess)
        try:
            self.source.require_range(pair.source, "source")
            self.target.require_range(pair.target, "target")
            source = self.source.resize(pair.source, resize)
            shape = (pair.source.shape[1], pair.source.shape[2])
            target = self.target.resize(pair.target, functools.partial(resize, partner=shape))
        except ValueError as error:
            raise ValueError(f"pair {pair.name}: {error}") from error
        if source.shape[1:] != target.shape[1:]:
            (h, w), (height, width) = source.shape[1:], target.shape[1:]
            raise ValueError(
                f"pair {pair.name}: its source is {h}x{w}, its target {height}x{width}; in mode {self.preprocess} they "
                "must agree. Resize the files, or set data.preprocess=resize_and_crop."
            )
        return Pair(source, target, pair.name)


def _batch_of(pair: Pair) -> Pair:
    return Pair(pair.source[None], pair.target[None], pair.name)


def _first(batch: Pair) -> Pair:
    return Pair(batch.source[0], batch.target[0], batch.name)
