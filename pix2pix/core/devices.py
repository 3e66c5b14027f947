"""Finds the GPU of this machine, or the device that was asked for."""

import torch


def find_gpu() -> str | None:
    """`cuda` for a GPU of NVIDIA or AMD, `mps` for Apple's; None where torch sees neither."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else None


def select_device(name: str) -> torch.device:
    """The device of a name; `auto` is the GPU or else the CPU. Raises ValueError for one that is not there."""
    try:
        device = torch.device(name if name != "auto" else find_gpu() or "cpu")
    except RuntimeError as error:
        raise ValueError(f"device {name!r}: torch knows no such device. Use cpu, cuda, cuda:1, mps or auto.") from error
    if device.type == "cuda" and not (torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()):
        raise ValueError(f"device {name!r}: torch sees no CUDA device here of this name. Use cpu or auto.")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ValueError(f"device {name!r}: torch sees no Apple GPU here. Use cpu or auto.")
    if device.type == "cpu" and device.index:
        raise ValueError(f"device {name!r}: the CPU is one device and has no number. Use cpu.")
    return device
