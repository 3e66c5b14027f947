"""Checks that a file of weights is undamaged and harmless, before torch reads it."""

import zipfile
from pathlib import Path
from typing import NamedTuple

from pix2pix.core.checksums import SUMS, Checksums, file_sha256

ZIP = b"PK\x03\x04"  # the first bytes of a checkpoint, a zip archive of uncompressed entries


class Integrity(NamedTuple):
    """The result of `check_integrity`.

    Args:
        known: whether the file is exactly one that was saved here.
        damage: what is wrong with it; None if nothing is.
    """

    known: bool
    damage: str | None = None


def check_integrity(path: Path) -> Integrity:
    """Checks the whole content of a checkpoint, by SHA256SUMS or else by the CRCs within the file, a zip archive."""
    sums = Checksums(path.parent)
    # By content, not by name: a checkpoint that was copied or renamed within the folder is known, too.
    if sums.by_name and sums.knows(file_sha256(path)):
        return Integrity(known=True)
    if sums.by_name.get(path.name):
        return Integrity(known=False, damage=f"its checksum differs from the one in {SUMS} beside it")
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except Exception as error:  # zipfile raises errors of many kinds for damaged bytes
        return Integrity(known=False, damage=f"it is no whole checkpoint ({error})")
    damage = f"the checksum of {damaged} within it differs" if damaged else None
    return Integrity(known=False, damage=damage)


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
    """Says why torch could not read a file. Torch's own message advises a way of reading that may run code."""
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
