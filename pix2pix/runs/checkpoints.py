"""Writes checkpoints atomically with checksums, at once or in the background, and keeps the previous one."""

import logging
import os
import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from pix2pix.core.atomic_files import atomic_file, flush_to_disk
from pix2pix.core.checksums import SUMS, Checksums, file_sha256
from pix2pix.core.integrity import check_integrity
from pix2pix.runs.checkpoint_copy import copy_state
from pix2pix.runs.errors import damaged_checkpoints_error
from pix2pix.runs.run import PREVIOUS, Run

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SaveOptions:
    """How `AtomicCheckpointIO` writes a checkpoint; it takes them as Lightning's `storage_options`.

    Args:
        names: further names of the checkpoint in its folder.
        in_background: whether a copy of the state is written beside the next steps. The copy takes as much memory as
            the checkpoint.
    """

    names: Sequence[str] = ()
    in_background: bool = False


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint to a temporary file, syncs it and renames it: a kill leaves the previous one intact.

    The checksum is recorded before the rename, so that it is known for every file in place. The old `last.ckpt` becomes
    `previous.ckpt`. A full disk does not raise but sets `error`, because all processes must continue together.

    A thread writes what has `SaveOptions`, one checkpoint at a time; `finish` tells how it went.
    """

    def __init__(self) -> None:
        self.error: OSError | None = None
        self.thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")  # begins with its first work
        self.writing: Future[OSError | None] | None = None

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Saves the checkpoint, or begins to; on failure sets `error` and leaves the existing files untouched."""
        self.teardown()
        if isinstance(storage_options, SaveOptions):
            state = copy_state(checkpoint) if storage_options.in_background else checkpoint
            self.writing = self.thread.submit(_try_to_save, state, Path(path), storage_options.names)
            if not storage_options.in_background:
                self.teardown()
        else:
            self.error = _try_to_save(checkpoint, Path(path))

    def is_written(self) -> bool:
        """Whether nothing is being written."""
        return self.writing is None or self.writing.done()

    def finish(self) -> OSError | None:
        """Waits for what is being written. Returns its error if the disk refused, and sets `error`.

        Raises:
            ValueError: if it could not be written for another reason.
        """
        if (writing := self.writing) is not None:
            self.writing, self.error = None, writing.result()
        return self.error

    def teardown(self) -> None:
        """Waits for what is being written. Lightning calls it at the end, however a training ends."""
        if self.writing is not None:
            wait([self.writing])


def _try_to_save(checkpoint: dict[str, Any], path: Path, names: Sequence[str] = ()) -> OSError | None:
    """Saves a checkpoint under a name and then under further ones. Returns the error if the disk refuses."""
    try:
        _save(checkpoint, path)
    except (OSError, RuntimeError) as error:  # torch's writer reports a full disk as a RuntimeError
        return OSError(
            f"{path}: the checkpoint could not be saved ({error}). Free some space: the previous checkpoint is "
            "kept, and running the same command again resumes from it."
        )
    except Exception as error:
        raise ValueError(
            f"{path}: the checkpoint could not be written ({type(error).__name__}: {error}). The previous one is kept."
        ) from error
    return link_names(path, names)


def _save(checkpoint: dict[str, Any], path: Path) -> None:
    with atomic_file(path) as part:
        with part.open("wb") as file:
            # Synced before the rename: a power cut could keep the new name and lose the content.
            torch.save(checkpoint, file)
            flush_to_disk(file)
        # A kill may leave each of these in place: the new file, the old one, the old one as previous. The sums of all
        # are written before the first rename, and those of files that are gone are removed after the last.
        sums, new = Checksums(path.parent), file_sha256(part)
        before = sums.by_name.get(path.name, [])
        sums_of_file = {path.name: [new]}
        if path.name == "last.ckpt" and path.is_file():
            sums_of_file[PREVIOUS] = list(before)
        for name, checksums in sums_of_file.items():
            sums.add(name, checksums)
        sums.write()
        if PREVIOUS in sums_of_file:
            _link_or_move(path, path.with_name(PREVIOUS))
    for name, checksums in sums_of_file.items():
        sums.replace(name, checksums)
    sums.write()
    _sync_folder(path.parent)


def _link_or_move(path: Path, name: Path) -> None:
    """Keeps a file under another name before it is replaced; moves it if the file system has no links."""
    if name.exists() and name.samefile(path):
        return
    try:
        # Linked under a temporary name first, because os.link cannot replace a file.
        with atomic_file(name) as part:
            part.unlink(missing_ok=True)
            os.link(path, part)
    except OSError:
        path.replace(name)  # a copy might not fit on the disk


def find_resumable(run: Run, fallback: Path | None = None) -> Path | None:
    """The newest undamaged checkpoint of a run; `fallback` if it has none.

    Raises:
        ValueError: if all of them are damaged and `fallback` is None.
    """
    checkpoints = run.resume_checkpoints()
    for path in checkpoints:
        known, damage = check_integrity(path)
        if damage:
            log.warning("%s is damaged: %s. It is skipped.", path, damage)
            continue
        if not known:
            log.warning("%s has no checksum in %s. It is used, as its own checksums are correct.", path, SUMS)
        return path
    if not checkpoints or fallback:
        return fallback
    raise damaged_checkpoints_error(run.path, checkpoints)


def link_names(file: Path, names: Iterable[str]) -> OSError | None:
    """Gives a checkpoint further names in its folder. Returns the error if the disk refuses."""
    for name in names:
        try:
            link_checkpoint(file, file.parent / name)
        except OSError as error:
            return OSError(
                f"{file.parent / name}: could not be saved ({error}). Free some space: the previous checkpoint is kept."
            )
    return None


def link_checkpoint(file: Path, name: Path) -> None:
    """Gives a checkpoint a second name, replacing the old file; copies it if the file system has no links."""
    if name.exists() and name.samefile(file):
        return
    # The sums of the new file are added before it takes the name, and those of the old one are removed after.
    sums = Checksums(file.parent)
    checksums = list(sums.by_name.get(file.name, []))
    sums.add(name.name, checksums)
    sums.write()
    with atomic_file(name) as part:
        part.unlink(missing_ok=True)
        try:
            os.link(file, part)
        except OSError:
            shutil.copyfile(file, part)
            with part.open("rb+") as copy:
                flush_to_disk(copy)
    sums.replace(name.name, checksums)
    sums.write()


def _sync_folder(folder: Path) -> None:
    """Makes a rename survive a power cut, if the system can sync folders."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
