"""The disk cache: memory-mapped files, built once and shared by processes and runs.

    FOLDER/3f9c.../pixels.bin     the images of all pairs, one after the other
    FOLDER/3f9c.../header.json    what they were made from, and where each begins; written last
    FOLDER/.3f9c....part/         a cache under construction, or left by a killed process: the next build removes it

The name is a digest of files and settings: when these change, a new cache is built. The least recently used caches are
removed to make room for it. Any cache may be deleted at any time.
"""

import errno
import hashlib
import json
import logging
import math
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from pix2pix.core.atomic_files import atomic_dir, flush_to_disk
from pix2pix.data.cache.preload import ResizedPairs, prefetch_all
from pix2pix.data.pair import Pair

log = logging.getLogger(__name__)

FORMAT = 2
ALIGNMENT = 64  # bytes; every image begins at a multiple, as any pixel type needs
Layout = tuple[str, tuple[int, ...]]  # type and shape of an image


class DiskCache:
    """The caches in one folder, which together stay below a limit.

    Args:
        folder: their folder; created when needed.
        limit: the bytes that all caches may take together.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit = folder, limit

    def open_or_build(self, pairs: ResizedPairs) -> Sequence[Pair]:
        """The pairs from their cache, which is built first if there is none. Other processes wait for the build.

        Raises:
            ValueError: when the pairs take more than the limit.
            OSError: when the folder cannot be written, or the disk is full.
        """
        cache = self.path(pairs)
        if (mapped := _open(cache)) is not None:
            return mapped
        with self._lock():
            if (mapped := _open(cache)) is not None:  # another process has built it meanwhile
                return mapped
            self._evict(pairs.estimated_bytes())
            _build(cache, pairs)
            return MappedPairs(cache)

    def path(self, pairs: ResizedPairs) -> Path:
        """The folder of the cache of these pairs, whether it exists or not."""
        return self.folder / hashlib.sha256(f"{FORMAT} {pairs.content}".encode()).hexdigest()[:32]

    def free_bytes(self) -> int:
        """The bytes that a new cache may take, if all others are removed."""
        # The folder may not exist yet: its disk is that of the first parent that does.
        existing = next(folder for folder in (self.folder, *self.folder.resolve().parents) if folder.is_dir())
        if not os.access(existing, os.W_OK):
            return 0
        return min(self.limit, shutil.disk_usage(existing).free + sum(map(_bytes, self._caches())))

    def _lock(self) -> FileLock:
        """A lock on the folder, which the system releases when the process ends, even if it is killed."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / ".lock").touch()
        except OSError as error:
            raise OSError(
                f"{self.folder}: caches cannot be written here ({error}). Set data.cache_dir, or data.cache=memory."
            ) from error
        return FileLock(self.folder / ".lock")

    def _evict(self, needed: int) -> None:
        """Removes unfinished caches, and the least recently used ones until there is room for `needed` bytes."""
        for part in self.folder.glob("*.part"):
            shutil.rmtree(part)
        if needed > self.free_bytes():
            raise ValueError(
                f"data.cache=disk: the pairs take {needed / 1e9:.3g} GB, {self.folder} may hold "
                f"{self.free_bytes() / 1e9:.3g} GB. Raise data.cache_gigabytes, set data.cache_dir to a larger disk, "
                "or set data.cache=off."
            )
        # Opening a cache touches its header, so the oldest header is of the one that was not used for longest.
        caches = sorted(self._caches(), key=lambda cache: (cache / "header.json").stat().st_mtime)
        while caches and (
            sum(map(_bytes, caches)) + needed > self.limit or shutil.disk_usage(self.folder).free < needed
        ):
            log.info("Removing %s: a new cache needs its room.", caches[0])
            shutil.rmtree(caches.pop(0))

    def _caches(self) -> list[Path]:
        return [header.parent for header in self.folder.glob("*/header.json") if header.parent.suffix != ".part"]


class MappedPairs(Sequence[Pair]):
    """The pairs of one cache; the system keeps the used parts in memory as long as there is room."""

    def __init__(self, cache: Path) -> None:
        header = json.loads((cache / "header.json").read_text(encoding="utf-8"))
        self.file = cache / "pixels.bin"
        if self.file.stat().st_size != header["bytes"]:
            raise EOFError(f"{self.file}: not as long as it was written")
        os.utime(cache / "header.json")  # marks the cache as used now
        self.names: list[str] = header["names"]
        self.layouts: list[Layout] = [(kind, tuple(shape)) for kind, shape in header["layouts"]]
        self.places = np.array(header["places"], dtype=np.int64).reshape(-1, 2, 2)
        self.pixels = _map_file(self.file)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Pair:  # pyright: ignore[reportIncompatibleMethodOverride]
        source, target = self.places[index]
        return Pair(self._image(*source), self._image(*target), self.names[index])

    def __getstate__(self) -> dict[str, Any]:
        """The state without the pixels; another process maps them itself."""
        return {key: value for key, value in self.__dict__.items() if key != "pixels"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, pixels=_map_file(state["file"]))

    def _image(self, start: int, layout: int) -> Tensor:
        kind, shape = self.layouts[layout]
        content = self.pixels[start : start + np.dtype(kind).itemsize * math.prod(shape)]
        return torch.from_numpy(content.view(kind).reshape(shape))


def _open(cache: Path) -> MappedPairs | None:
    """The pairs of a cache; None when there is no cache or it is damaged."""
    try:
        return MappedPairs(cache)
    except (OSError, EOFError, ValueError):
        return None


def _map_file(file: Path) -> np.ndarray:
    """The bytes of a file. Mode "c" never changes the file, and avoids torch's warning about read-only arrays."""
    return np.memmap(file, dtype=np.uint8, mode="c")


def _build(cache: Path, pairs: ResizedPairs) -> None:
    """Writes a cache under another name and renames it, so that a killed process leaves no half cache."""
    try:
        with atomic_dir(cache) as part:
            with (part / "pixels.bin").open("wb") as file:
                header = _write_pixels(file, prefetch_all(pairs))
                flush_to_disk(file)
            (part / "header.json").write_text(json.dumps({"made_from": pairs.content, **header}), encoding="utf-8")
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise OSError(f"{cache.parent}: the disk is full. Set data.cache_dir to another, or data.cache=off.") from error


def _write_pixels(file: BinaryIO, pairs: Iterable[Pair]) -> dict[str, Any]:
    """Writes the images of the pairs; returns the header that finds them again."""
    # Most images share one type and shape, so these are listed once, and each image has its offset and a number.
    layouts: dict[Layout, int] = {}
    names, places = [], []
    for pair in pairs:
        images = [image.contiguous().numpy() for image in pair.images]
        for image in images:
            number = layouts.setdefault((image.dtype.str, image.shape), len(layouts))
            places.append((file.tell(), number))
            file.write(image.tobytes())
            file.write(bytes(-file.tell() % ALIGNMENT))
        names.append(pair.name)
    return {"names": names, "places": places, "layouts": list(layouts), "bytes": file.tell()}


def _bytes(cache: Path) -> int:
    return (cache / "pixels.bin").stat().st_size
