"""Checkpoint files: written whole or not at all, known by their checksums, with the one before kept."""

import hashlib
import logging
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from pix2pix.run import Run
from pix2pix.whole_files import replacing, sync, write

log = logging.getLogger(__name__)

SUMS = "SHA256SUMS"
PREVIOUS = "previous.ckpt"


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place, syncs it and renames it: a kill leaves the previous one intact.

    Its checksum is noted before it takes its place, so that a file in place is always known. What was there before
    stays as `previous.ckpt`. A disk that takes no more is left as `error`, for all processes go on together.
    """

    error: OSError | None = None

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Saves, or says in `error` why not, with the files of before untouched."""
        path, self.error = Path(path), None
        try:
            with replacing(path) as part:
                with part.open("wb") as file:
                    torch.save(checkpoint, file)
                    sync(file)
                note(path.parent, [*_checksums(path.parent), _checksum(part)])
                if path.is_file():
                    link(path, path.with_name(PREVIOUS))
            _sync_folder(path.parent)
        except (OSError, RuntimeError) as error:  # torch's writer reports a full disk as a RuntimeError
            self.error = OSError(
                f"{path}: the checkpoint could not be saved ({error}). Make room: what was saved before is kept, and "
                "the same command goes on from there."
            )


def resumable(run: Run) -> Path | None:
    """The newest sound checkpoint of a run; None where it has saved none.

    Raises:
        ValueError: when every one of them is damaged.
    """
    found = [path for path in (run.last, run.checkpoints / PREVIOUS) if path.is_file()]
    known = _checksums(run.checkpoints)
    for path in found:
        if _checksum(path) in known:
            return path
        log.warning("%s is damaged: its checksum is not what was saved. It is passed over.", path)
    if not found:
        return None
    raise ValueError(
        f"{run.path}: its checkpoints are damaged ({', '.join(path.name for path in found)}), there is nothing to go "
        "on from. Bring a copy back, or begin again: resume=never sets this run aside."
    )


def link(file: Path, name: Path) -> None:
    """Gives a file a second name, replacing what had it; copies where the file system has no links."""
    if name.exists() and name.samefile(file):
        return
    with replacing(name) as part:
        part.unlink(missing_ok=True)
        try:
            os.link(file, part)
        except OSError:
            shutil.copyfile(file, part)


def note(folder: Path, checksums: list[str]) -> None:
    """Keeps the checksums of the newest checkpoints, oldest first: two in place, and one that may be about to be."""
    write(folder / SUMS, "".join(f"{checksum}\n" for checksum in checksums[-3:]))


def _checksums(folder: Path) -> list[str]:
    file = folder / SUMS
    return file.read_text(encoding="utf-8").split() if file.is_file() else []


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    """Makes a rename last through a power cut, where the system lets a folder be synced."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
