"""Pins downloads to the checksum of the first one, in a lock file that is made for version control."""

import datetime
import json
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from pix2pix.core.atomic_files import write_text_atomic
from pix2pix.core.checksums import file_sha256


@dataclass(frozen=True)
class Pins:
    """The checksums of first downloads, by name. Later downloads of the same name must match.

    Args:
        file: the lock file, JSON; it need not exist yet.
    """

    file: Path

    def read(self) -> dict[str, dict[str, object]]:
        """Returns url, bytes, sha256 and date of each first download. Raises ValueError when the file is not JSON."""
        try:
            return json.loads(self.file.read_text(encoding="utf-8")) if self.file.exists() else {}
        except json.JSONDecodeError as error:
            raise ValueError(
                f"{self.file}: not JSON ({error}). Correct it, or remove it to pin the next downloads anew."
            ) from error

    def require_match(self, name: str, archive: Path, url: str) -> str:
        """Returns the SHA-256 of a downloaded file. Raises ValueError when it differs from the pinned one."""
        digest = file_sha256(archive)
        pinned = self.read().get(name, {}).get("sha256")
        if pinned not in {None, digest}:
            raise ValueError(
                f"{url}: its SHA-256 is {digest}, but {self.file} has {pinned} from the first download. "
                "If the new file is to be trusted, remove the entry there."
            )
        return digest

    def add(self, name: str, pin: dict[str, object]) -> None:
        """Records a first download; an existing entry stays."""
        with FileLock(self.file.with_name(f".{self.file.name}.lock")):
            pins = self.read()
            date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
            pins.setdefault(name, pin | {"first_downloaded": date})
            write_text_atomic(self.file, json.dumps(pins, indent=2, sort_keys=True) + "\n")
