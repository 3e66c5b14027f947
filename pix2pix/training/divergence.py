"""Detects NaN and infinity in losses, weights and optimizers."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

CHECKED_PARTS = ("state_dict", "optimizer_states")  # of a checkpoint
MAX_NAMED = 3  # tensors that a message names


def require_finite_losses(losses: Mapping[str, Tensor], where: str, run: str | Path) -> None:
    """Raises ValueError naming the losses that are NaN or infinite. `where` is part of the message: "at step 7"."""
    if not all(map(math.isfinite, losses.values())):
        values = [f"{name} is {float(loss)}" for name, loss in losses.items() if not math.isfinite(loss)]
        raise _divergence_error(", ".join(values), where, run)


def require_finite_state(checkpoint: Mapping[str, Any], run: str | Path) -> None:
    """Raises ValueError if weights, buffers or optimizer states contain NaN or infinity."""
    tensors = dict(_find_tensors({part: checkpoint[part] for part in CHECKED_PARTS if part in checkpoint}))
    # One fused norm over all tensors is finite only if every value is. Names are looked for only where it is not.
    if math.isfinite(torch.nn.utils.get_total_norm(tensors.values(), math.inf)):
        return
    names = [name.removeprefix("state_dict.") for name, tensor in tensors.items() if not tensor.isfinite().all()]
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    raise _divergence_error(
        f"{', '.join(names[:MAX_NAMED])}{more}: not finite", f"at step {checkpoint['global_step']}, and not saved", run
    )


def _find_tensors(state: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """All floating-point tensors in nested dictionaries and lists, with their dotted names."""
    if isinstance(state, Tensor):
        if state.is_floating_point() and state.numel():
            yield name, state
    elif isinstance(state, Mapping | list | tuple):
        parts = state.items() if isinstance(state, Mapping) else enumerate(state)
        for key, part in parts:
            yield from _find_tensors(part, f"{name}.{key}".lstrip("."))


def _divergence_error(values: str, where: str, run: str | Path) -> ValueError:
    folder = Path(run) / "checkpoints"
    saved = f"The checkpoints in {folder} are from before" if any(folder.glob("*.ckpt")) else "Nothing was saved before"
    return ValueError(
        f"{values} {where}: the training has diverged. {saved}. Under another name, try a smaller optimizer.lr, "
        "optimizer.clip_norm=1, or with precision=16-mixed bf16-mixed instead."
    )
