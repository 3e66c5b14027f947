"""Extracts untrusted archives safely: regular files in one folder, of limited number and size."""

import errno
import gzip
import io
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from tqdm import tqdm

LARGEST_HEADER = 2**20  # of one extended header: names and comments, which tarfile reads into memory at once
CHUNK = 2**20
LONGEST_NAME = 255  # bytes, on most disks
DEEPEST = 8  # folders within folders; data sets have two
OF_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM}


class Limits(NamedTuple):
    """What an archive may contain at most.

    Args:
        members: files and folders.
        size: bytes, unpacked, headers included.
    """

    members: int
    size: int


def safe_extract(archive: Path, into: Path, folder: str, limits: Limits) -> None:
    """Unpacks the gzipped tar `archive` into the new directory `into`; everything must lie in `folder`/.

    Raises:
        ValueError: for a damaged archive, a bomb, or a member that is no plain file or folder within `folder`.
            What was unpacked until then is removed.
        OSError: when the disk does not take it.
    """
    into.mkdir(parents=True)
    try:
        with gzip.open(archive) as unzipped:
            _write_members(archive, _Bounded(unzipped, archive, limits.size), into, folder, limits)
    except BaseException as error:
        shutil.rmtree(into)
        reason = _describe_failure(archive, error, into)
        if reason is None:
            raise
        raise reason from error


def _describe_failure(archive: Path, error: BaseException, into: Path) -> Exception | None:
    """The error in words, where it needs any: whatever the bytes of an archive happen to provoke."""
    if isinstance(error, gzip.BadGzipFile | tarfile.TarError | EOFError | zlib.error | RecursionError):
        return ValueError(f"{archive.name}: damaged, or cut short ({error or type(error).__name__}).")
    if isinstance(error, OSError) and error.errno in OF_THE_DISK:
        return OSError(f"{into.parent}: the pictures cannot be written ({error.strerror}). Make room, then try again.")
    if isinstance(error, ValueError) or not isinstance(error, Exception):
        return None
    return ValueError(f"{archive.name}: cannot be unpacked ({error or type(error).__name__}). Nothing of it is kept.")


def _write_members(archive: Path, stream: "_Bounded", into: Path, folder: str, limits: Limits) -> None:
    with (
        tarfile.open(fileobj=stream, mode="r|", tarinfo=_Header) as tar,
        tqdm(unit="file", desc="unpacking", disable=None) as bar,
    ):
        for member in _iterate_safe_members(tar, archive, into, folder, limits):
            _write_member(tar, member, into / member.name)
            bar.update()
    while stream.read(CHUNK):  # to the end, where gzip compares its checksum
        pass


def _iterate_safe_members(
    tar: tarfile.TarFile, archive: Path, into: Path, folder: str, limits: Limits
) -> Iterator[tarfile.TarInfo]:
    declared = 0
    for number, member in enumerate(tar, 1):
        refusal = _find_violation(member, into, folder)
        if refusal:
            raise ValueError(f"{archive.name}: {member.name!r} {refusal}. Nothing of it is kept.")
        declared += member.size
        if number > limits.members or declared > limits.size:
            raise ValueError(
                f"{archive.name}: holds more than {limits.members} files or {limits.size} bytes, which the real "
                "archive does not. Nothing of it is kept."
            )
        yield member


def _find_violation(member: tarfile.TarInfo, into: Path, folder: str) -> str | None:
    """Why a member is not unpacked."""
    if not _is_portable_name(member.name):
        return "is a name that no file should have"
    if not (member.isreg() or member.isdir()) or member.issparse():
        return "is a link, a device or the like, not a plain file"
    try:
        tarfile.data_filter(member, str(into))
    except tarfile.FilterError as error:
        return f"leads out of the folder ({error})"
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or (path.parts and path.parts[0] != folder):
        return f"does not lie in {folder}/"
    return None


def _is_portable_name(name: str) -> bool:
    """Whether every system and every terminal can show a file of that name."""
    parts = PurePosixPath(name).parts
    try:
        fits = all(len(part.encode()) <= LONGEST_NAME for part in parts)
    except UnicodeEncodeError:
        return False
    return fits and len(parts) <= DEEPEST and name.isprintable()


def _write_member(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    try:
        if member.isdir():
            target.mkdir(parents=True, exist_ok=True)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        content = tar.extractfile(member)
        assert content is not None
        with target.open("xb") as file:
            shutil.copyfileobj(content, file, CHUNK)
    except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        raise ValueError(f"{member.name!r} is in the archive twice. Nothing of it is kept.") from error


class _Header(tarfile.TarInfo):
    """A header that refuses to announce an extended header of any size: tarfile would hold it in memory."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Header":
        header = super().frombuf(buf, encoding, errors)
        if not (header.isreg() or header.isdir()) and header.size > LARGEST_HEADER:
            raise ValueError(f"a header of {header.size} bytes, which no honest archive has. Nothing of it is kept.")
        return header


class _Bounded(io.RawIOBase):
    """A stream that refuses to give more than `limit` bytes, whatever sizes are declared in it."""

    def __init__(self, stream: gzip.GzipFile, archive: Path, limit: int) -> None:
        self.stream, self.archive, self.left = stream, archive, limit

    def read(self, size: int = -1) -> bytes:
        content = self.stream.read(size)
        self.left -= len(content)
        if self.left < 0:
            raise ValueError(f"{self.archive.name}: unpacks to more than the real one does. Nothing of it is kept.")
        return content
