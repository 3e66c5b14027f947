"""Tries a source of pairs that is the user's own: in words, where an error of torch would come later and say less."""

from typing import Any

import torch
from torch import Tensor

from pix2pix.data.pair import Pair, PairSource

TYPES = (torch.uint8, torch.uint16, torch.int32, torch.float32)


def require_pairs(source: PairSource, channels: tuple[int | None, int | None]) -> None:
    """Reads the first pair of train and of val.

    Args:
        source: the source.
        channels: those of source and target, as the settings have them; None for any number.

    Raises:
        ValueError: for what a training cannot use, naming the class and what it must return.
    """
    name = type(source).__qualname__
    for split in ("train", "val"):
        pairs: Any = source.split(split)
        if not (hasattr(pairs, "__len__") and hasattr(pairs, "__getitem__")):
            raise ValueError(
                f"{name}: split({split!r}) is a {type(pairs).__name__}. Return a sequence, such as a list."
            )
        if not len(pairs):
            raise ValueError(
                f"{name}: split({split!r}) has no pairs. A training needs some to train and to validate on."
            )
        try:
            _require_pair(pairs[0], channels)
        except ValueError as error:
            raise ValueError(f"{name}: the first pair of {split} {error}") from error
    if not isinstance(fingerprint := source.fingerprint(), str):
        raise ValueError(f"{name}: fingerprint() is a {type(fingerprint).__name__}. Return a text.")


def _require_pair(pair: Any, channels: tuple[int | None, int | None]) -> None:
    if not isinstance(pair, Pair):
        raise ValueError(f"is a {type(pair).__name__}. Return pix2pix.data.Pair(source, target, name).")
    if not isinstance(pair.name, str):
        raise ValueError(f"is called {pair.name!r}. Return a text as its name.")
    for kind, image, count in zip(("source", "target"), pair.images, channels, strict=True):
        if not isinstance(image, Tensor):
            raise ValueError(f"has a {type(image).__name__} as its {kind}. Return a tensor (C, H, W).")
        if image.ndim != 3 or (count is not None and len(image) != count):
            wanted = "C" if count is None else count
            raise ValueError(
                f"has a {kind} of shape {tuple(image.shape)}, where ({wanted}, H, W) is expected. Return the channels "
                f"first, as many as data.{kind}_channels."
            )
        if image.dtype not in TYPES or image.requires_grad:
            with_gradient = " with a gradient" if image.requires_grad else ""
            raise ValueError(
                f"has a {kind} of {image.dtype}{with_gradient}. Return uint8, uint16, int32 or float32, detached."
            )
