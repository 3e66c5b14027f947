"""Extracts untrusted archives: `tarfile`'s data filter, and what it lacks, limits of number, size, depth and names."""

import errno
import gzip
import io
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pix2pix.core.progress_bars import tqdm

MAX_HEADER_BYTES = 2**20  # of one extended header, names and comments: tarfile reads it into memory at once
CHUNK = 2**20
MAX_NAME_BYTES = 255  # what most disks allow
MAX_DEPTH = 8  # folders within folders; data sets have two
DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM}


class Limits(NamedTuple):
    """The largest content that an archive may have.

    Args:
        members: files and folders.
        size: bytes, unpacked, headers included.
    """

    members: int
    size: int


def safe_extract(archive: Path, into: Path, folder: str, limits: Limits) -> None:
    """Unpacks the gzipped tar `archive` into the new directory `into`. All members must lie in `folder`/.

    Raises:
        ValueError: for a damaged archive, for one over the limits, and for a member that is no regular file or folder
            within `folder`. Everything that was unpacked is removed.
        OSError: when the disk is full or cannot be written.
    """
    into.mkdir(parents=True)
    try:
        # As a stream: nothing is read twice, and a small file that unpacks to a full disk is stopped by the limits.
        with gzip.open(archive) as unzipped, tqdm(unit="file", desc="unpacking", disable=None) as bar:
            stream = _BoundedStream(unzipped, archive, limits.size)
            with tarfile.open(fileobj=stream, mode="r|", tarinfo=_BoundedHeader) as tar:
                tar.extractall(into, filter=_MemberFilter(archive.name, folder, limits, bar))
            while stream.read(CHUNK):  # to the end, where gzip compares its checksum
                pass
    except BaseException as error:
        shutil.rmtree(into)
        described = _describe_failure(archive, error, into)
        if described is None:
            raise
        raise described from error


def _describe_failure(archive: Path, error: BaseException, into: Path) -> Exception | None:
    """The error to raise instead; None for an error that says enough. Damaged bytes raise errors of many kinds."""
    if isinstance(error, gzip.BadGzipFile | tarfile.TarError | EOFError | zlib.error | RecursionError):
        return ValueError(f"{archive.name}: damaged, or cut short ({error or type(error).__name__}).")
    if isinstance(error, OSError) and error.errno in DISK_ERRORS:
        return OSError(f"{into.parent}: cannot write the pictures ({error.strerror}). Free some space, then try again.")
    if isinstance(error, ValueError) or not isinstance(error, Exception):
        return None
    return ValueError(f"{archive.name}: cannot be unpacked ({error or type(error).__name__}). Nothing of it is kept.")


class _MemberFilter:
    """An extraction filter: `tarfile.data_filter` for regular files and folders in `folder`, within the limits."""

    def __init__(self, archive: str, folder: str, limits: Limits, bar: tqdm) -> None:
        self.archive, self.folder, self.limits, self.bar = archive, folder, limits, bar
        self.count = self.size = 0

    def __call__(self, member: tarfile.TarInfo, into: str) -> tarfile.TarInfo:
        violation = self._find_violation(member, Path(into))
        if violation:
            raise ValueError(f"{self.archive}: {member.name!r} {violation}. Nothing of it is kept.")
        self.count, self.size = self.count + 1, self.size + member.size
        self.bar.update()
        if self.count > self.limits.members or self.size > self.limits.size:
            raise ValueError(
                f"{self.archive}: holds more than {self.limits.members} files or {self.limits.size} bytes, which the "
                "real archive does not. Nothing of it is kept."
            )
        # None leaves mode and time as the system sets them for new files.
        return tarfile.data_filter(member, into).replace(mode=None, mtime=None, deep=False)  # pyright: ignore[reportArgumentType]

    def _find_violation(self, member: tarfile.TarInfo, into: Path) -> str | None:
        """Why the member must not be extracted; None when it may."""
        if not _is_portable_name(member.name):
            return "is a name that no file should have"
        if not (member.isreg() or member.isdir()) or member.issparse():
            return "is a link, a device or the like, not a plain file"
        try:
            tarfile.data_filter(member, str(into))
        except tarfile.FilterError as error:
            return f"leads out of the folder ({error})"
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts or (path.parts and path.parts[0] != self.folder):
            return f"does not lie in {self.folder}/"
        target = into / path
        is_taken = target.exists() and not (member.isdir() and target.is_dir())
        # A later member with the name of an earlier one, or below an earlier file, would replace it.
        return "is in the archive twice" if is_taken or any(parent.is_file() for parent in target.parents) else None


def _is_portable_name(name: str) -> bool:
    """Whether every system and every terminal can show a file of that name."""
    parts = PurePosixPath(name).parts
    try:
        fits = all(len(part.encode()) <= MAX_NAME_BYTES for part in parts)
    except UnicodeEncodeError:
        return False
    return fits and len(parts) <= MAX_DEPTH and name.isprintable()


class _BoundedHeader(tarfile.TarInfo):
    """Refuses extended headers of more than MAX_HEADER_BYTES, which tarfile would read into memory."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_BoundedHeader":
        header = super().frombuf(buf, encoding, errors)
        if not (header.isreg() or header.isdir()) and header.size > MAX_HEADER_BYTES:
            raise ValueError(f"a header of {header.size} bytes, which no honest archive has. Nothing of it is kept.")
        return header


class _BoundedStream(io.RawIOBase):
    """Refuses to return more than `limit` bytes, whatever sizes the headers declare."""

    def __init__(self, stream: gzip.GzipFile, archive: Path, limit: int) -> None:
        self.stream, self.archive, self.left = stream, archive, limit

    def read(self, size: int = -1) -> bytes:
        content = self.stream.read(size)
        self.left -= len(content)
        if self.left < 0:
            raise ValueError(f"{self.archive.name}: unpacks to more than the real one does. Nothing of it is kept.")
        return content
