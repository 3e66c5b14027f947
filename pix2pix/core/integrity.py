"""Checks that a file of weights is undamaged and harmless, before torch reads it."""

import zipfile
from pathlib import Path

from pix2pix.core.checksums import SUMS, Checksums, check_integrity

ZIP = b"PK\x03\x04"  # the first bytes of a checkpoint, a zip archive of uncompressed entries


def require_intact(file: Path) -> None:
    """Raises ValueError when a checkpoint is damaged; torch itself checks no checksums.

    A file that SHA256SUMS beside it lists must have its checksum. In others the CRC of each zip entry is checked. A
    file of another format, without an entry in SHA256SUMS, is not checked.
    """
    with file.open("rb") as content:
        is_zip = content.read(len(ZIP)) == ZIP
    if not (is_zip or Checksums(file.parent).by_name.get(file.name)):
        return
    damage = _find_damage(file) and _find_damage(file)  # twice: a training may just have replaced it
    if damage:
        remedy = f" If you wrote it yourself, remove its line from {SUMS}." if SUMS in damage else ""
        raise ValueError(f"{file} is damaged: {damage}. Restore a copy, or choose another checkpoint.{remedy}")


def describe_unreadable(file: Path, error: Exception) -> str:
    """Why torch could not read a file. Torch's own message advises a way of reading that may run a program."""
    if not zipfile.is_zipfile(file):
        return "it is no file of weights that torch saved"
    if "weights_only" in str(error):
        return "it holds more than tensors and plain values, which might run a program when it is read"
    return next(iter(str(error).splitlines()), type(error).__name__)


def _find_damage(file: Path) -> str | None:
    return check_integrity(file).damage or _find_compression(file)


def _find_compression(file: Path) -> str | None:
    """Finds compressed or overlapping entries. Torch writes none, and a small file of them could fill the memory."""
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
    if any(entry.compress_type for entry in entries) or sum(e.file_size for e in entries) > file.stat().st_size:
        return "its entries are packed, which those of no checkpoint are"
    return None
