"""Checks checkpoints against the SHA256SUMS file of a run and against their own checksums.

The sum of a new file is noted before the file takes its place, so a name may have several lines: whichever of those
files is in place after a kill is known. Only what has surely been replaced is struck out.
"""

import hashlib
import re
import zipfile
from pathlib import Path
from typing import NamedTuple

from pix2pix.core.atomic_files import write_text_atomic

SUMS = "SHA256SUMS"
LINE = re.compile(r"([0-9a-f]{64})(?: [ *]([^/]+))?")  # as sha256sum writes it; earlier versions wrote no names
NAMELESS = ""


class Checksums:
    """The lines of a folder's SHA256SUMS; those that are cut short or are rubbish say nothing.

    Args:
        folder: where the checkpoints are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.of = folder, dict[str, list[str]]()
        file = folder / SUMS
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else []
        for found in filter(None, map(LINE.fullmatch, lines)):
            self.of.setdefault(found[2] or NAMELESS, []).append(found[1])

    def knows(self, checksum: str) -> bool:
        """Whether this is the sum of a file that was saved here, under whatever name."""
        return any(checksum in sums for sums in self.of.values())

    def add(self, name: str, checksums: list[str]) -> None:
        """Adds what is about to take a place. The sums of what is there now stay."""
        sums = self.of.setdefault(name, [])
        sums += [checksum for checksum in checksums if checksum not in sums]

    def replace(self, name: str, checksums: list[str]) -> None:
        """Leaves only the sums of what has taken its place, and none of files that are gone.

        A sum without a name stays until every checkpoint has one of its own.
        """
        self.of[name] = list(checksums)
        there = {path.name for path in self.folder.glob("*.ckpt")}
        named = {key for key, sums in self.of.items() if sums}
        kept = there if there <= named else there | {NAMELESS}
        self.of = {key: sums for key, sums in self.of.items() if key in kept}

    def write(self) -> None:
        """Puts them on the disk."""
        lines = [f"{checksum}  {name}".rstrip() for name, sums in self.of.items() for checksum in sums]
        write_text_atomic(self.folder / SUMS, "".join(f"{line}\n" for line in lines))


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Integrity(NamedTuple):
    """What the checksums say of a file: whether it is as it was saved here, and what is wrong with it, if anything."""

    known: bool
    damage: str | None = None


def check_integrity(path: Path) -> Integrity:
    """Looks at a checkpoint, all of it.

    One without a line in SHA256SUMS is not damaged for that: the sums within the file, as in any zip archive, tell.
    """
    sums = Checksums(path.parent)
    if sums.of and sums.knows(file_sha256(path)):
        return Integrity(known=True)
    if sums.of.get(path.name):
        return Integrity(known=False, damage=f"its checksum differs from the one in {SUMS} beside it")
    try:
        with zipfile.ZipFile(path) as archive:
            spoilt = archive.testzip()
    except Exception as error:  # Python's reader raises whatever the bytes happen to provoke
        return Integrity(known=False, damage=f"it is no whole checkpoint ({error})")
    damage = f"{spoilt} within it has another checksum than it was saved with" if spoilt else None
    return Integrity(known=False, damage=damage)
