"""Caches decoded, resized pairs (`data.cache`).

| `data.cache` | where pairs are kept |
|---|---|
| `off` | nowhere: every pair is decoded and resized each time it is used |
| `memory` | in the memory of this process, read once at the start |
| `disk` | in a memory-mapped file that all runs and processes on a machine share |
| `device` | on the GPU, in the pixel type of the files |
| `auto` | in memory if they take a small part of what is free, else on disk if there is room, else nowhere |

The pixels are the same in all cases, bit for bit.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from pix2pix.core.free_memory import free_memory
from pix2pix.core.home_folder import expand_home
from pix2pix.core.processes import is_first_process
from pix2pix.data.cache.disk import DiskCache
from pix2pix.data.cache.preload import ResizedPairs, prefetch_all
from pix2pix.data.pair import Pair

log = logging.getLogger(__name__)

CacheKind = Literal["auto", "off", "memory", "disk", "device"]
SHARE_OF_MEMORY = 0.25  # of the free memory: the training needs the rest
SHARE_OF_DISK = 0.5  # of the room for caches: the user did not ask for one on disk


class Cache:
    """Keeps resized pairs in the place that `kind` names.

    Args:
        kind: `auto`, `off`, `memory`, `disk` or `device`; the table above explains them.
        folder: the folder of caches on disk.
        gigabytes: the limit for all caches on disk together; the least recently used ones are removed.
    """

    def __init__(self, kind: CacheKind = "off", folder: str | Path = "~/.cache/pix2pix", gigabytes: float = 20) -> None:
        self.kind: CacheKind = kind
        self.disk = DiskCache(expand_home(folder), int(gigabytes * 1e9))

    def store(
        self, sets: Sequence[ResizedPairs], device: torch.device, processes: int = 1
    ) -> tuple[CacheKind, list[Sequence[Pair]]]:
        """Stores sets of pairs. Returns where, and the stored sets.

        Args:
            sets: for instance the training pairs and the validation pairs.
            device: the device that trains.
            processes: how many processes on this machine store the same pairs.

        Raises:
            ValueError: when the pairs do not fit there.
            OSError: when the folder of caches cannot be written.
        """
        # An estimate: the first pair of each set times their number.
        needed = sum(pairs.estimated_bytes() for pairs in sets) if self.kind != "off" else 0
        kind = self._choose(needed, processes) if self.kind == "auto" else self.kind
        if kind == "device":
            _require_gpu_memory(device, needed)
        return kind, [self._store(pairs, kind, device) for pairs in sets]

    def _store(self, pairs: ResizedPairs, kind: CacheKind, device: torch.device) -> Sequence[Pair]:
        if kind == "off":
            return pairs
        if kind == "disk":
            return self.disk.open_or_build(pairs)
        place = device if kind == "device" else torch.device("cpu")
        return [
            Pair(_copy_contiguous(pair.source).to(place), _copy_contiguous(pair.target).to(place), pair.name)
            for pair in prefetch_all(pairs)
        ]

    def _choose(self, needed: int, processes: int) -> CacheKind:
        """The first place with enough room for the pairs; logs which, and why."""
        free, on_disk = free_memory(), self.disk.free_bytes()
        size = f"the pairs take {needed / 1e6:,.0f} MB"
        # Each process holds a copy of its own in memory, but all map the same file on disk.
        if needed * processes <= SHARE_OF_MEMORY * free:
            _log_once("data.cache=auto: memory; %s, %.0f MB are free.", size, free / 1e6)
            return "memory"
        if needed <= SHARE_OF_DISK * on_disk:
            _log_once("data.cache=auto: disk; %s, %s has room.", size, self.disk.folder)
            return "disk"
        _log_once("data.cache=auto: off; %s, too much for memory and for %s.", size, self.disk.folder)
        return "off"


def _log_once(message: str, *values: object) -> None:
    """Logs a message; of several processes, one for all."""
    if is_first_process():
        log.info(message, *values)


def _copy_contiguous(image: Tensor) -> Tensor:
    """A copy with one channel after the other in memory, from which crops are faster."""
    return image.clone(memory_format=torch.contiguous_format)


def _require_gpu_memory(device: torch.device, needed: int) -> None:
    if device.type != "cuda":
        return
    free, _ = torch.cuda.mem_get_info(device)
    if needed > free:
        raise ValueError(
            f"data.cache=device: the pairs take {needed / 1e9:.1f} GB, the GPU has {free / 1e9:.1f} GB free. "
            "Set data.cache=memory or disk."
        )
