"""Finds the GPU of this machine."""

import torch


def find_gpu() -> str | None:
    """`cuda` for a GPU of NVIDIA or AMD, `mps` for Apple's; None where torch sees neither."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else None
