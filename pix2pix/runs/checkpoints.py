"""Writes checkpoints atomically with checksums, and keeps the previous one."""

import logging
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from pix2pix.core.atomic_files import atomic_file, flush_to_disk
from pix2pix.core.checksums import SUMS, Checksums, check_integrity, file_sha256
from pix2pix.runs.run import PREVIOUS, Run

log = logging.getLogger(__name__)


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place, syncs it and renames it: a kill leaves the previous one intact.

    Its checksum is noted before it takes its place, so that a file in place is always known. What `last.ckpt` was
    before stays as `previous.ckpt`. A disk that takes no more is left as `error`, for all processes go on together.
    """

    error: OSError | None = None

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Saves, or says in `error` why not, with the files of before untouched."""
        path, self.error = Path(path), None
        try:
            _save(checkpoint, path)
        except (OSError, RuntimeError) as error:  # torch's writer reports a full disk as a RuntimeError
            self.error = OSError(
                f"{path}: the checkpoint could not be saved ({error}). Free some space: the previous checkpoint is "
                "kept, and running the same command again resumes from it."
            )


def _save(checkpoint: dict[str, Any], path: Path) -> None:
    with atomic_file(path) as part:
        with part.open("wb") as file:
            torch.save(checkpoint, file)
            flush_to_disk(file)
        sums, new = Checksums(path.parent), file_sha256(part)
        before = sums.of.get(path.name, [])
        moves = {path.name: [new]} | ({PREVIOUS: list(before)} if path.name == "last.ckpt" and path.is_file() else {})
        for name, own in moves.items():
            sums.add(name, own)
        sums.write()
        if PREVIOUS in moves:
            _link_or_move(path, path.with_name(PREVIOUS))
    for name, own in moves.items():
        sums.replace(name, own)
    sums.write()
    _sync_folder(path.parent)


def _link_or_move(path: Path, name: Path) -> None:
    """Gives a file another name before it is replaced; where the file system has no links, it is moved there."""
    if name.exists() and name.samefile(path):
        return
    try:
        with atomic_file(name) as part:
            part.unlink(missing_ok=True)
            os.link(path, part)
    except OSError:
        path.replace(name)  # a copy might find no room


def find_resumable(run: Run, instead: Path | None = None) -> Path | None:
    """The newest sound checkpoint of a run; `instead` where it has none.

    Raises:
        ValueError: when every one of them is damaged, and there is nothing instead.
    """
    found = run.resume_checkpoints()
    for path in found:
        known, damage = check_integrity(path)
        if damage:
            log.warning("%s is damaged: %s. It is passed over.", path, damage)
            continue
        if not known:
            log.warning("%s has no checksum in %s. The sums within the file are right: it is taken.", path, SUMS)
        return path
    if not found or instead:
        return instead
    raise ValueError(
        f"{run.path}: its checkpoints are damaged ({', '.join(path.name for path in found)}), so the run "
        f"cannot be resumed. Restore a copy; or resume from another checkpoint, such as {run.checkpoints}/best.ckpt: "
        "resume=PATH; or start over with resume=never, which renames this run."
    )


def link_checkpoint(file: Path, name: Path) -> None:
    """Gives a checkpoint a second name, replacing what had it; copies where the file system has no links."""
    if name.exists() and name.samefile(file):
        return
    sums = Checksums(file.parent)
    own = list(sums.of.get(file.name, []))
    sums.add(name.name, own)
    sums.write()
    with atomic_file(name) as part:
        part.unlink(missing_ok=True)
        try:
            os.link(file, part)
        except OSError:
            shutil.copyfile(file, part)
            with part.open("rb+") as copy:
                flush_to_disk(copy)
    sums.replace(name.name, own)
    sums.write()


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
