"""The checksums of a run's checkpoints, in the file SHA256SUMS beside them.

The checksum of a new file is written before the file is put in place. A name may therefore have several lines:
whichever of these files a kill leaves in place is known. Lines are removed only after the file has been replaced.
"""

import hashlib
import re
from pathlib import Path

from pix2pix.core.atomic_files import write_text_atomic

SUMS = "SHA256SUMS"
LINE = re.compile(r"([0-9a-f]{64})(?: [ *]([^/]+))?")  # as sha256sum writes it; earlier versions wrote no names
NAMELESS = ""


class Checksums:
    """The lines of a folder's SHA256SUMS. Lines that cannot be parsed are ignored.

    Args:
        folder: the folder of the checkpoints.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.by_name = folder, dict[str, list[str]]()
        file = folder / SUMS
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else []
        for match in filter(None, map(LINE.fullmatch, lines)):
            self.by_name.setdefault(match[2] or NAMELESS, []).append(match[1])

    def knows(self, checksum: str) -> bool:
        """Whether a file with this checksum was saved here, under any name."""
        return any(checksum in sums for sums in self.by_name.values())

    def add(self, name: str, checksums: list[str]) -> None:
        """Adds the checksums of a file that is about to be put in place. Those of the present file stay."""
        sums = self.by_name.setdefault(name, [])
        sums += [checksum for checksum in checksums if checksum not in sums]

    def replace(self, name: str, checksums: list[str]) -> None:
        """Keeps only these checksums for a file that was put in place, and none for files that no longer exist.

        Checksums without a name stay until every checkpoint has one of its own.
        """
        self.by_name[name] = list(checksums)
        # Earlier versions wrote no names: such a sum may belong to any checkpoint that has no line of its own.
        existing = {path.name for path in self.folder.glob("*.ckpt")}
        named = {key for key, sums in self.by_name.items() if sums}
        needed = existing if existing <= named else existing | {NAMELESS}
        self.by_name = {key: sums for key, sums in self.by_name.items() if key in needed}

    def write(self) -> None:
        """Writes SHA256SUMS."""
        lines = [f"{checksum}  {name}".rstrip() for name, sums in self.by_name.items() for checksum in sums]
        write_text_atomic(self.folder / SUMS, "".join(f"{line}\n" for line in lines))


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
