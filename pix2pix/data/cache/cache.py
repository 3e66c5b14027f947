"""Caches decoded, resized pairs (`data.cache`).

| `data.cache` | kept |
|---|---|
| `off` | nowhere: every pair is decoded and resized whenever it is drawn |
| `memory` | in this process's memory, read once at the start |
| `disk` | in a file mapped into memory, which all runs and processes on a machine share |
| `device` | on the GPU, as the files' own type of pixels |
| `auto` | in memory where they take a small part of what is free, else on disk where there is room, else nowhere |

Whichever it is, the pixels are those of the files, bit for bit.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from lightning_fabric.utilities.rank_zero import rank_zero_only
from torch import Tensor

from pix2pix.core.free_memory import free_memory
from pix2pix.data.cache.disk import DiskCache
from pix2pix.data.cache.preload import ResizedPairs, prefetch_all
from pix2pix.data.pair import Pair

log = logging.getLogger(__name__)
say = rank_zero_only(log.info)  # one of several processes speaks for all

CacheKind = Literal["auto", "off", "memory", "disk", "device"]
SHARE_OF_MEMORY = 0.25  # of what is free: a training needs the rest
SHARE_OF_DISK = 0.5  # of the room there is, for a cache that nobody asked for


class Cache:
    """Keeps loaded pairs where `kind` says.

    Args:
        kind: see the table above.
        folder: where caches on disk lie.
        gigabytes: the most that all of them take together; the ones used longest ago make room for new ones.
    """

    def __init__(self, kind: CacheKind = "off", folder: str | Path = "~/.cache/pix2pix", gigabytes: float = 20) -> None:
        self.kind: CacheKind = kind
        self.disk = DiskCache(Path(folder).expanduser(), int(gigabytes * 1e9))

    def store(
        self, sets: Sequence[ResizedPairs], device: torch.device, processes: int = 1
    ) -> tuple[CacheKind, list[Sequence[Pair]]]:
        """Where the pairs are kept now, and the pairs from there.

        Args:
            sets: what is to be kept.
            device: the one that trains.
            processes: how many on this machine keep the same.

        Raises:
            ValueError: when they do not fit where `kind` says.
            OSError: when the folder of the caches cannot be written.
        """
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
        """The first place where the pairs fit comfortably; says which, and why."""
        free, room = free_memory(), self.disk.free_bytes()
        size = f"the pairs take {needed / 1e6:,.0f} MB"
        if needed * processes <= SHARE_OF_MEMORY * free:
            say("data.cache=auto: memory; %s, %.0f MB are free.", size, free / 1e6)
            return "memory"
        if needed <= SHARE_OF_DISK * room:
            say("data.cache=auto: disk; %s, %s has room.", size, self.disk.folder)
            return "disk"
        say("data.cache=auto: off; %s, too much for memory and for %s.", size, self.disk.folder)
        return "off"


def _copy_contiguous(image: Tensor) -> Tensor:
    """The image in memory of its own, channel after channel, as crops are quickly cut from it."""
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
