"""Whether a file of weights is what was written: by the checksum beside it, else by the checksums inside."""

import hashlib
import re
import zipfile
from pathlib import Path

SUMS = "SHA256SUMS"
ZIP = b"PK\x03\x04"  # how a checkpoint begins, which is a zip of uncompressed entries
NAMED = re.compile(r"([0-9a-f]{64})[ \t]+\*?(\S.*)")  # a line as `sha256sum` writes it


def require_sound(file: Path) -> None:
    """Raises ValueError when a checkpoint is damaged.

    Where SHA256SUMS beside it names the file, its checksum decides; else the CRC of each of its entries, since torch
    looks at none. A file that is no zip has no CRCs: that it can be read is all that is known of it.
    """
    if _sums_of(file):
        if not (_has_its_sum(file) or _has_its_sum(file)):  # a training may just have replaced it: look again
            raise ValueError(
                f"{file}: is damaged, its checksum is not the one in {SUMS}. Bring a copy back or choose another "
                f"checkpoint; where you put the file there yourself, remove its line from {file.parent / SUMS}."
            )
    elif reason := _fault_of_zip(file):
        raise ValueError(f"{file}: is damaged, {reason}. Bring a copy back or choose another checkpoint.")


def digest(file: Path) -> str:
    """The SHA-256 of a file."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _sums_of(file: Path) -> set[str]:
    """The checksums that the folder's list has for a file of this name; several while it is being replaced."""
    try:
        lines = (file.parent / SUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return set()
    named = (found for line in lines if (found := NAMED.fullmatch(line.strip())))
    return {found[1] for found in named if found[2] == file.name}


def _has_its_sum(file: Path) -> bool:
    return digest(file) in _sums_of(file)


def _fault_of_zip(file: Path) -> str | None:
    with file.open("rb") as content:
        if content.read(len(ZIP)) != ZIP:
            return None
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            # Nothing that torch writes is compressed, and a small file may unpack to a full memory.
            if any(entry.compress_type for entry in entries) or sum(e.file_size for e in entries) > file.stat().st_size:
                return "its entries are packed, which no checkpoint's are"
            broken = archive.testzip()
            return None if broken is None else f"its entry {broken} is not what was saved"
    except Exception as error:  # whatever damage provokes
        return f"it is no whole zip file ({error})"
