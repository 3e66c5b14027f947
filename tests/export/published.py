"""U-Nets as the authors' implementation saves them, for tests of what reads these."""

import io

import torch
from torch import Tensor


def authors_unet(base: int = 2, depth: int = 8, norm: bool = True) -> dict[str, Tensor]:
    """A state dict with the authors' nested names: each block holds the next one between its way down and up."""
    generator = torch.Generator().manual_seed(0)
    widths = [3, *(base * min(2**level, 8) for level in range(depth))]
    state: dict[str, Tensor] = {}

    def add(layer: str, *shape: int, bias: bool) -> None:
        state[f"{layer}.weight"] = torch.randn(shape, generator=generator) * 0.1
        if bias:
            state[f"{layer}.bias"] = torch.zeros(shape[1])

    def add_norm(layer: str, width: int) -> None:
        state.update({f"{layer}.weight": torch.ones(width), f"{layer}.bias": torch.zeros(width)} if norm else {})
        state.update({f"{layer}.running_{name}": torch.ones(width) for name in ("mean", "var")} if norm else {})

    prefix = "model.model"
    for level in range(depth):
        outer, inner = widths[level], widths[level + 1]
        first, last = level == 0, level == depth - 1
        down, up = (0, 3) if first else (1, 3) if last else (1, 5)
        add(f"{prefix}.{down}", inner, outer, 4, 4, bias=False)
        if not (first or last):
            add_norm(f"{prefix}.2", inner)
        add(f"{prefix}.{up}", inner if last else 2 * inner, outer, 4, 4, bias=first)
        if not first:
            add_norm(f"{prefix}.{up + 1}", outer)
        prefix = f"{prefix}.{1 if first else 3}.model"
    return state


def save_bytes(content: object, *, legacy: bool = True) -> bytes:
    """The bytes of a `.pth` file; the authors' are of the time before torch saved zips."""
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=not legacy)
    return file.getvalue()
