"""Normalisation layers, and whether the convolution before them needs a bias."""

from typing import Literal, get_args

from torch import nn

Norm = Literal["batch", "instance", "none"]


def make_norm(norm: Norm, channels: int) -> list[nn.Module]:
    """The layers, one or none, that normalise (B, channels, H, W). As in the reference, instance norm is not affine."""
    if norm not in get_args(Norm):
        raise ValueError(f"norm {norm!r}: unknown norm. Choose from {', '.join(get_args(Norm))}.")
    if norm == "batch":
        return [nn.BatchNorm2d(channels)]
    return [nn.InstanceNorm2d(channels)] if norm == "instance" else []


def needs_bias(norm: Norm) -> bool:
    """Whether a convolution before the norm has a bias. Batch norm needs none: it subtracts the mean and adds a shift.

    Instance norm needs none either, but the reference keeps the bias there, and its weights must fit.
    """
    return norm != "batch"
