"""Converts checkpoint state to plain types, so that loading it cannot execute code.

NumPy's numbers and arrays are saved as Python numbers and tensors. Their original types are recorded in the checkpoint
and restored on resuming. Anything else that loading would refuse is already refused when saving.
"""

import io
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

CONVERTED = "converted"  # the key of the list of conversions: the path in the checkpoint, and the original type
ON_DEVICE = "on device"
CONTAINERS = (dict, OrderedDict, list, tuple, set, frozenset)
ALLOWED = "numbers, text, bytes, None, tensors, NumPy arrays, and lists, tuples, sets and dictionaries of these"

Path = tuple[Any, ...]


def make_plain(checkpoint: dict[str, Any]) -> None:
    """Converts NumPy values to plain ones, in place.

    Raises:
        ValueError: naming the callback or part whose state a checkpoint cannot hold, and the value.
    """
    # Each conversion is noted with its path in the checkpoint, by which `restore_types` finds it.
    notes: list[tuple[Path, str]] = []
    for key, part in checkpoint.items():
        checkpoint[key] = _to_plain(part, (key,), notes)
    _require_loadable(checkpoint)
    if notes:
        checkpoint[CONVERTED] = notes


def restore_types(checkpoint: dict[str, Any], device: torch.device) -> None:
    """Restores the original types, and moves tensors of callbacks back to `device`."""
    for path, kind in checkpoint.pop(CONVERTED, []):
        checkpoint[path[0]] = _replace_at(
            checkpoint[path[0]], path[1:], lambda value, kind=kind: _convert_back(value, kind, device)
        )


def _to_plain(value: Any, path: Path, notes: list[tuple[Path, str]]) -> Any:
    """The value, or its conversion. A container is copied only if something in it changes."""
    if isinstance(value, np.generic | np.ndarray):
        return _convert_numpy(value, path, notes)
    if isinstance(value, Tensor) and path[0] == "callbacks" and value.device.type != "cpu":
        notes.append((path, ON_DEVICE))
    if isinstance(value, dict) and type(value) in CONTAINERS:
        new = {_plain_key(key): _to_plain(part, (*path, _plain_key(key)), notes) for key, part in value.items()}
        # Unchanged containers stay the same object: tensors of the weights are never copied.
        is_same = all(a is b for a, b in zip(new, value, strict=True)) and all(new[key] is value[key] for key in value)
        return value if is_same else type(value)(new)
    if type(value) in {list, tuple}:
        new = [_to_plain(part, (*path, index), notes) for index, part in enumerate(value)]
        return value if all(a is b for a, b in zip(new, value, strict=True)) else type(value)(new)
    if type(value) is frozenset:
        notes.append((path, "frozenset"))
    return set(map(_plain_key, value)) if type(value) in {set, frozenset} else value


def _convert_numpy(value: Any, path: Path, notes: list[tuple[Path, str]]) -> Any:
    try:
        plain = value.item() if isinstance(value, np.generic) else torch.tensor(value)
    except (TypeError, ValueError):  # objects, text, dates, which tensors cannot hold
        return value
    notes.append((path, str(value.dtype)))
    return plain


def _plain_key(key: Any) -> Any:
    return key.item() if isinstance(key, np.generic) else key


def _convert_back(value: Any, kind: str, device: torch.device) -> Any:
    if kind == ON_DEVICE:
        return value.to(device)
    if kind == "frozenset":
        return frozenset(value)
    return value.numpy() if isinstance(value, Tensor) else np.dtype(kind).type(value)


def _replace_at(value: Any, path: Path, change: Callable[[Any], Any]) -> Any:
    if not path:
        return change(value)
    # Tuples are made anew around the changed part; dictionaries and lists are changed in place.
    new = _replace_at(value[path[0]], path[1:], change)
    if isinstance(value, tuple):
        return (*value[: path[0]], new, *value[path[0] + 1 :])
    value[path[0]] = new
    return value


def _require_loadable(checkpoint: Mapping[str, Any]) -> None:
    """Saves and loads the checkpoint without its tensors, which takes milliseconds."""
    # One attempt with the whole state; only if it fails is each part tried, to name the one at fault.
    if not _is_loadable(_without_tensors(checkpoint)):
        of, what, value = next(_find_unloadable(checkpoint))
        raise ValueError(
            f"{of} keeps a {type(value).__name__} in its state{what}, {str(value)[:80]!r}, which a checkpoint cannot "
            f"hold: it takes {ALLOWED}, so that loading it executes nothing. Let its state_dict() return those. "
            "Earlier checkpoints are kept."
        )


def _find_unloadable(checkpoint: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """The owner, path and value of each innermost part that cannot be loaded."""
    for key, part in checkpoint.items():
        owners = {f"callback {name}": state for name, state in part.items()} if key == "callbacks" else {key: part}
        for owner, state in owners.items():
            for path, value in _leaves(state, ()):
                if not _is_loadable(_without_tensors(value)):
                    yield owner, "".join(f"[{name!r}]" for name in path), value
    yield "the training", "", checkpoint


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if type(value) not in CONTAINERS:
        yield path, value
        return
    parts = value.items() if isinstance(value, Mapping) else enumerate(value)
    for key, part in parts:
        if isinstance(value, Mapping):
            yield (*path, key), key
        yield from _leaves(part, (*path, key))


def _without_tensors(value: Any) -> Any:
    if type(value) in {Tensor, torch.nn.Parameter}:
        return None
    if type(value) in {dict, OrderedDict}:
        return {key: _without_tensors(part) for key, part in value.items()}
    return type(value)(map(_without_tensors, value)) if type(value) in {list, tuple} else value


def _is_loadable(value: Any) -> bool:
    file = io.BytesIO()
    try:
        torch.save(value, file)
        file.seek(0)
        torch.load(file, weights_only=True)
    except Exception:  # pickle and torch raise many types
        return False
    return True
