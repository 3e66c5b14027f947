"""A watch for what would wait for a GPU, by way of a device whose tensors have no numbers."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from pix2pix.data import device

META = torch.device("meta")


class NeverWaits(TorchDispatchMode):
    """Fails where a tensor goes from the processor to the device, or back, from memory that is not pinned."""

    def __init__(self) -> None:
        super().__init__()
        self.pinned: dict[int, torch.Tensor] = {}  # kept, so that no other takes its place

    def pin(self, numbers: torch.Tensor) -> torch.Tensor:
        self.pinned[id(numbers)] = numbers
        return numbers

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        copies = "copy" in str(function)  # other kernels take a number of the processor's along without waiting
        given = [a for a in args if isinstance(a, torch.Tensor) and id(a) not in self.pinned and (copies or a.dim())]
        got = result.device if isinstance(result, torch.Tensor) else None
        assert all(tensor.device == got for tensor in given if got), f"{function} sends {given} to {got}"
        return result


def of_numbers(make):
    """`torch.tensor` or the like, which fills tensors without numbers unseen."""

    def make_or_fail(*args, **options):
        assert torch.device(options.get("device") or "cpu") != META, f"{make.__name__} sends {args}"
        return make(*args, **options)

    return make_or_fail


@contextmanager
def nothing_waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails where what is within would wait for a device; memory counts as pinned where `send` pins it."""
    mode = NeverWaits()
    with monkeypatch.context() as patch, mode:
        patch.setattr(device, "_pin", mode.pin)
        for make in (torch.tensor, torch.as_tensor):
            patch.setattr(torch, make.__name__, of_numbers(make))
        yield
