"""Detects NaN and infinity in losses, weights and optimizers."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

HOLDING = ("state_dict", "optimizer_states")  # the parts of a checkpoint that go on as they are
NAMED = 3  # tensors that a message names


def require_finite_losses(losses: Mapping[str, Tensor], seen: str, run: str | Path) -> None:
    """Raises ValueError, naming the losses that are NaN or infinite. `seen` says when and where: "at step 7"."""
    if not all(map(math.isfinite, losses.values())):
        spoilt = [f"{name} is {float(loss)}" for name, loss in losses.items() if not math.isfinite(loss)]
        raise _divergence_error(", ".join(spoilt), seen, run)


def require_finite_state(checkpoint: Mapping[str, Any], run: str | Path) -> None:
    """Raises ValueError where weights, buffers or the state of an optimizer hold a NaN or an infinity."""
    found = dict(_tensors({part: checkpoint[part] for part in HOLDING if part in checkpoint}))
    if math.isfinite(torch.nn.utils.get_total_norm(found.values(), math.inf)):
        return
    spoilt = [name.removeprefix("state_dict.") for name, tensor in found.items() if not tensor.isfinite().all()]
    more = f" and {len(spoilt) - NAMED} more" if len(spoilt) > NAMED else ""
    raise _divergence_error(
        f"{', '.join(spoilt[:NAMED])}{more}: not finite", f"at step {checkpoint['global_step']}, and not saved", run
    )


def _tensors(state: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """The floating-point tensors within dictionaries and lists, by their names."""
    if isinstance(state, Tensor):
        if state.is_floating_point() and state.numel():
            yield name, state
    elif isinstance(state, Mapping | list | tuple):
        parts = state.items() if isinstance(state, Mapping) else enumerate(state)
        for key, part in parts:
            yield from _tensors(part, f"{name}.{key}".lstrip("."))


def _divergence_error(spoilt: str, seen: str, run: str | Path) -> ValueError:
    folder = Path(run) / "checkpoints"
    kept = f"The checkpoints in {folder} are from before" if any(folder.glob("*.ckpt")) else "Nothing was saved before"
    return ValueError(
        f"{spoilt} {seen}: the training has diverged. {kept}. Under another name, try a smaller optimizer.lr, "
        "optimizer.clip_norm=1, or with precision=16-mixed bf16-mixed instead."
    )
