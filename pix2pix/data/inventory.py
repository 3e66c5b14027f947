"""Fingerprints the files of a data set, to detect edits between two sessions of a run.

Names and sizes are known by the fingerprint. Where they are the same, dates are looked at, and only where these differ
the content. A run keeps them in `data_files.npz`: the date of every file, and a digest of the content of all files, or
of a large set of some that are spread over it. So a million pairs are looked at in seconds.
"""

import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pix2pix.core.atomic_files import atomic_file
from pix2pix.core.checksums import file_sha256
from pix2pix.core.cpu_cores import count_cores
from pix2pix.core.prefetch import map_in_threads

log = logging.getLogger(__name__)

MAX_THREADS = 8  # more do not make a disk faster
MOST_FILES, MOST_BYTES = 10_000, 2**30  # that are read of a data set to know its content
SHOWN = 3  # files that are named
COPIED = 0.5  # of the files have another date: then the set was copied, and a part of it tells whether it is the same


class Inventory(NamedTuple):
    """The files that hold a source's pairs, in an order that depends on their names alone.

    Args:
        fingerprint: of the source, of names and sizes and whatever else it depends on.
        path: gives the path of a file by its number.
        sizes: in bytes; as many as there are files.
        dates: of their last change, in nanoseconds.
        sums: their SHA-256 where the source knows it, else "".
    """

    fingerprint: str
    path: Callable[[int], Path]
    sizes: np.ndarray
    dates: np.ndarray
    sums: Sequence[str] = ()


def take_inventory(fingerprint: str, files: Iterable[Path], sums: Sequence[str] = ()) -> Inventory:
    """The inventory of files, whose order must be that of their names."""
    paths = list(files)
    found = [(stat.st_size, stat.st_mtime_ns) for stat in map(os.stat, paths)]
    sizes, dates = np.array(found, np.int64).reshape(-1, 2).T
    return Inventory(fingerprint, paths.__getitem__, sizes, dates, sums)


def record_inventory(file: Path, now: Inventory, *, anew: bool) -> None:
    """Keeps what the files are; without files, nothing.

    Args:
        file: where it is kept.
        now: the files.
        anew: whether they may be others than those that were noted there before.
    """
    before = _read_record(file, now)
    if not len(now.dates) or (before is not None and (before.dates == now.dates).all()):
        return
    digests = {} if anew or before is None else before.digests
    told = _known_digests(now)
    unknown = np.array([number for number in range(len(now.sizes)) if number not in told], np.int64)
    new = [number for number in _sample_files(unknown, now.sizes) if number not in digests]
    digests = digests | dict(zip(new, _hash_files(now, new), strict=True))
    numbers = sorted(digests)
    content = {"numbers": np.array(numbers, np.int64), "digests": np.array([digests[n] for n in numbers], "S64")}
    with atomic_file(file) as part, part.open("wb") as out:
        np.savez(out, fingerprint=np.array(now.fingerprint), dates=now.dates, **content)


def describe_edits(file: Path, now: Inventory) -> str:
    """In words, which files kept their size, but hold something else than a run has noted; "" where none does."""
    before = _read_record(file, now)
    if before is None:
        return ""
    known = before.digests | _known_digests(now)
    changed = np.flatnonzero(before.dates != now.dates)
    looked_at = changed[np.isin(changed, list(known))]
    copied = len(changed) >= COPIED * len(now.dates)
    numbers = _sample_files(looked_at, now.sizes) if copied else looked_at.tolist()
    found = [n for n, digest in zip(numbers, _hash_files(now, numbers), strict=True) if digest != known[n]]
    if found:
        return f"edited in place, at the same size: {_list_names(now, sorted(found))}"
    unknown = [] if copied else np.setdiff1d(changed, looked_at).tolist()
    if unknown:
        return f"of another date, and what they held was not noted: {_list_names(now, unknown)}"
    if len(changed):
        log.info("%d files of the data have another date; %d were read, and hold the same.", len(changed), len(numbers))
    return ""


def _known_digests(files: Inventory) -> dict[int, str]:
    """The checksums that the source knows."""
    return {number: digest for number, digest in enumerate(files.sums) if digest}


class _Record(NamedTuple):
    dates: np.ndarray
    digests: dict[int, str]


def _read_record(file: Path, now: Inventory) -> _Record | None:
    """What a run has noted of these files; None where it has noted nothing, or something of others."""
    try:
        with file.open("rb") as content, np.load(content, allow_pickle=False) as noted:
            same = str(noted["fingerprint"]) == now.fingerprint and len(noted["dates"]) == len(now.dates)
            digests = dict(zip(noted["numbers"].tolist(), map(bytes.decode, noted["digests"].tolist()), strict=True))
            return _Record(noted["dates"], digests) if same else None
    except FileNotFoundError:
        return None
    except Exception as error:  # numpy and zipfile raise whatever the bytes happen to provoke
        log.warning("%s cannot be read (%s): whether pairs were edited in place is not known.", file, error)
        return None


def _sample_files(numbers: np.ndarray, sizes: np.ndarray) -> list[int]:
    """As many of these files as are read at most, one at least, spread over all; the same ones every time."""
    if not len(numbers):
        return []
    order = numbers[np.random.default_rng(0).permutation(len(numbers))][:MOST_FILES]
    fitting = int(np.searchsorted(np.cumsum(sizes[order]), MOST_BYTES, side="right"))
    return order[: max(1, fitting)].tolist()


def _hash_files(files: Inventory, numbers: Sequence[int]) -> list[str]:
    paths = (files.path(number) for number in numbers)
    return list(map_in_threads(_hash_file, paths, threads=min(MAX_THREADS, count_cores())))


def _hash_file(file: Path) -> str:
    # Reading a pipe or a device would wait for ever: it counts as an empty file.
    return file_sha256(file) if file.is_file() else hashlib.sha256().hexdigest()


def _list_names(files: Inventory, numbers: Sequence[int]) -> str:
    more = f" and {len(numbers) - SHOWN} more" if len(numbers) > SHOWN else ""
    return ", ".join(str(files.path(number)) for number in numbers[:SHOWN]) + more
