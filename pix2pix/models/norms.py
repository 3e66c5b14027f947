"""Normalisation layers, and whether the convolution before them needs a bias."""

from typing import Literal, get_args

from torch import nn

Norm = Literal["batch", "instance", "none"]


def make_norm(norm: Norm, channels: int) -> list[nn.Module]:
    """The layers that normalise (B, channels, H, W): one or none. Instance norm is not affine, as in the reference."""
    if norm not in get_args(Norm):
        raise ValueError(f"norm {norm!r}: no such norm. Choose from {', '.join(get_args(Norm))}.")
    if norm == "batch":
        return [nn.BatchNorm2d(channels)]
    return [nn.InstanceNorm2d(channels)] if norm == "instance" else []


def needs_bias(norm: Norm) -> bool:
    """Whether a convolution before the norm has a bias: batch norm's own shift makes it idle.

    Under instance norm it is idle too, but there the reference keeps it, and its weights have to fit.
    """
    return norm != "batch"
