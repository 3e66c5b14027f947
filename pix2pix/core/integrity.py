"""Checks that a file of weights is undamaged and harmless before torch reads it."""

import zipfile
from pathlib import Path

from pix2pix.core.checksums import SUMS, Checksums, check_integrity

ZIP = b"PK\x03\x04"  # how a checkpoint begins, which is a zip of uncompressed entries


def require_intact(file: Path) -> None:
    """Raises ValueError when a checkpoint is damaged: torch itself looks at no checksum.

    Where SHA256SUMS beside it names the file, its checksum decides; else the CRC of each of its entries. A file that is
    no zip has no CRCs: that it can be read is all that is known of it.
    """
    with file.open("rb") as content:
        is_zip = content.read(len(ZIP)) == ZIP
    if not (is_zip or Checksums(file.parent).of.get(file.name)):
        return
    damage = _find_damage(file) and _find_damage(file)  # a training may just have replaced it: look again
    if damage:
        yours = f" Where you wrote it yourself, remove its line from {SUMS}." if SUMS in damage else ""
        raise ValueError(f"{file} is damaged: {damage}. Bring a copy back, or choose another checkpoint.{yours}")


def describe_unreadable(file: Path, error: Exception) -> str:
    """Why torch could not read a file. Torch's own words would advise to read it in a way that may run a program."""
    if not zipfile.is_zipfile(file):
        return "it is no file of weights that torch saved"
    if "weights_only" in str(error):
        return "it holds more than tensors and plain values, which might run a program when it is read"
    return next(iter(str(error).splitlines()), type(error).__name__)


def _find_damage(file: Path) -> str | None:
    return check_integrity(file).damage or _find_compression(file)


def _find_compression(file: Path) -> str | None:
    """What torch never writes: compressed entries, or some that overlap. A small one may unpack to a full memory."""
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
    if any(entry.compress_type for entry in entries) or sum(e.file_size for e in entries) > file.stat().st_size:
        return "its entries are packed, which those of no checkpoint are"
    return None
