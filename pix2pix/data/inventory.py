"""Detects edits of the files of a data set between two sessions of a run.

The fingerprint of a source shows changed names and sizes. For the rest, a run records in `data_files.npz` the date of
every file and a digest of its content; of a large data set, digests of a random sample. The next session compares the
dates, and the content only of files with another date. A million pairs take seconds.
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
MAX_FILES, MAX_BYTES = 10_000, 2**30  # read from a data set for digests
MAX_NAMES = 3  # files that a message names
COPIED_SHARE = 0.5  # of files with another date: the data set was copied, and a sample is compared


class Inventory(NamedTuple):
    """The files of a source, in an order that depends on their names alone.

    Args:
        fingerprint: digest of names and sizes, and of all else that decides the pairs.
        path: gives the path of a file by its number.
        sizes: bytes of each file.
        dates: last change of each file, in nanoseconds.
        sums: SHA-256 of each file if the source knows it, else "".
    """

    fingerprint: str
    path: Callable[[int], Path]
    sizes: np.ndarray
    dates: np.ndarray
    sums: Sequence[str] = ()


def take_inventory(fingerprint: str, files: Iterable[Path], sums: Sequence[str] = ()) -> Inventory:
    """The inventory of files, which must be sorted by name."""
    paths = list(files)
    stats = [(stat.st_size, stat.st_mtime_ns) for stat in map(stat_file, paths)]
    sizes, dates = np.array(stats, np.int64).reshape(-1, 2).T
    return Inventory(fingerprint, paths.__getitem__, sizes, dates, sums)


def stat_file(path: str | Path) -> os.stat_result:
    """The status of a file; that of a link to nothing, which reading it will name, is its own."""
    try:
        return os.stat(path)  # noqa: PTH116 - a path takes longer than the status
    except FileNotFoundError:
        return os.lstat(path)


def record_inventory(file: Path, files: Inventory, *, anew: bool) -> None:
    """Records what the files are; does nothing without files.

    Args:
        file: where the record is kept.
        files: the files of the source.
        anew: whether to forget the digests of an earlier record, because the files may have changed since.
    """
    record = _read_record(file, files)
    if not len(files.dates) or (record is not None and (record.dates == files.dates).all()):
        return
    # Dates tell which files may have been edited, digests whether they were: of a sample, as hashing all takes hours.
    digests = {} if anew or record is None else record.digests
    known = _known_digests(files)
    unknown = np.array([number for number in range(len(files.sizes)) if number not in known], np.int64)
    new = [number for number in _sample_files(unknown, files.sizes) if number not in digests]
    digests = digests | dict(zip(new, _hash_files(files, new), strict=True))
    numbers = sorted(digests)
    content = {"numbers": np.array(numbers, np.int64), "digests": np.array([digests[n] for n in numbers], "S64")}
    with atomic_file(file) as part, part.open("wb") as out:
        np.savez(out, fingerprint=np.array(files.fingerprint), dates=files.dates, **content)


def describe_edits(file: Path, files: Inventory) -> str:
    """A phrase that names the files whose content differs from the record in `file` at equal size; "" for none."""
    record = _read_record(file, files)
    if record is None:
        return ""
    digests = record.digests | _known_digests(files)
    redated = np.flatnonzero(record.dates != files.dates)
    comparable = redated[np.isin(redated, list(digests))]
    # Nearly all dates differ after a copy: then a sample is read, and not every file.
    is_copy = len(redated) >= COPIED_SHARE * len(files.dates)
    numbers = _sample_files(comparable, files.sizes) if is_copy else comparable.tolist()
    edited = [n for n, digest in zip(numbers, _hash_files(files, numbers), strict=True) if digest != digests[n]]
    if edited:
        return f"edited in place, at the same size: {_list_names(files, sorted(edited))}"
    unrecorded = [] if is_copy else np.setdiff1d(redated, comparable).tolist()
    if unrecorded:
        return f"of another date, without a record of their content: {_list_names(files, unrecorded)}"
    if len(redated):
        log.info("%d data files have another date; %d were read, and are unchanged.", len(redated), len(numbers))
    return ""


def _known_digests(files: Inventory) -> dict[int, str]:
    """The digests that the source knows, by the number of the file."""
    return {number: digest for number, digest in enumerate(files.sums) if digest}


class _Record(NamedTuple):
    dates: np.ndarray
    digests: dict[int, str]


def _read_record(file: Path, files: Inventory) -> _Record | None:
    """The record of these files; None if there is none, or it is of other files."""
    try:
        with file.open("rb") as content, np.load(content, allow_pickle=False) as arrays:
            is_same = str(arrays["fingerprint"]) == files.fingerprint and len(arrays["dates"]) == len(files.dates)
            digests = dict(zip(arrays["numbers"].tolist(), map(bytes.decode, arrays["digests"].tolist()), strict=True))
            return _Record(arrays["dates"], digests) if is_same else None
    except FileNotFoundError:
        return None
    except Exception as error:  # a damaged file makes numpy and zipfile raise errors of any type
        log.warning("%s cannot be read (%s), so edits of the data cannot be detected.", file, error)
        return None


def _sample_files(numbers: np.ndarray, sizes: np.ndarray) -> list[int]:
    """A random sample of these files within MAX_FILES and MAX_BYTES, at least one; the same sample every time."""
    if not len(numbers):
        return []
    # A seed of its own: the sample must be the same when it is checked.
    order = numbers[np.random.default_rng(0).permutation(len(numbers))][:MAX_FILES]
    fitting = int(np.searchsorted(np.cumsum(sizes[order]), MAX_BYTES, side="right"))
    return order[: max(1, fitting)].tolist()


def _hash_files(files: Inventory, numbers: Sequence[int]) -> list[str]:
    paths = (files.path(number) for number in numbers)
    return list(map_in_threads(_hash_file, paths, threads=min(MAX_THREADS, count_cores())))


def _hash_file(file: Path) -> str:
    # Reading a pipe or a device would wait for ever: it counts as an empty file.
    return file_sha256(file) if file.is_file() else hashlib.sha256().hexdigest()


def _list_names(files: Inventory, numbers: Sequence[int]) -> str:
    more = f" and {len(numbers) - MAX_NAMES} more" if len(numbers) > MAX_NAMES else ""
    return ", ".join(str(files.path(number)) for number in numbers[:MAX_NAMES]) + more
