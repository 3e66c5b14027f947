"""A run directory: its files, its progress and its provenance."""

import itertools
import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from pix2pix.config.identity import Config, ends
from pix2pix.config.saved import UnreadableError, read_config
from pix2pix.core.atomic_files import temporary_path, write_text_atomic
from pix2pix.runs.changes import Changes, compare_configs, log_changes, refusal_message
from pix2pix.runs.provenance import describe_session

try:
    import fcntl
except ImportError:  # no such locks on Windows
    fcntl: Any = None

log = logging.getLogger(__name__)

PREVIOUS = "previous.ckpt"  # what last.ckpt was before
NOTED: dict[str, type] = {"sessions": list, "best": dict}  # in every provenance, once there is any


class Run:
    """The directory of one training, which needs nothing else.

    Args:
        path: the directory; it need not exist yet.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.config_file = self.path / "config.yaml"
        self.provenance_file = self.path / "provenance.json"
        self.checkpoints = self.path / "checkpoints"
        self.last = self.checkpoints / "last.ckpt"
        self.data_files = self.path / "data_files.npz"
        self.evaluation = self.path / "evaluation"

    def config(self) -> Config:
        """The resolved configuration.

        Raises:
            FileNotFoundError: when this is no run.
            ValueError: when the file is damaged, or another program's.
        """
        if not self.config_file.is_file():
            raise FileNotFoundError(
                f"{self.path}: not a run, it has no config.yaml. Give a directory that `pix2pix train` made."
            )
        try:
            return read_config(self.config_file)
        except UnreadableError as error:
            raise self._config_error(str(error)) from error

    def provenance(self) -> dict[str, Any]:
        """What made the run, and whether it is finished; empty before it began. Raises ValueError when damaged."""
        if not self.provenance_file.is_file():
            return {}
        try:
            content = json.loads(self.provenance_file.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            content, why = None, _first_line(error)
        else:
            why = "it does not hold what pix2pix writes there"
        if isinstance(content, dict) and all(isinstance(content.get(key, kind()), kind) for key, kind in NOTED.items()):
            return content
        raise ValueError(
            f"{self.provenance_file}: cannot be read ({why}). Restore a copy, or remove it: the run continues "
            "without it, and only the history of its sessions is lost."
        )

    def is_finished(self) -> bool:
        """Whether the training reached its end, as far as its provenance can be read."""
        try:
            return bool(self.provenance().get("finished"))
        except ValueError:
            return False

    def is_done(self, config: Config) -> bool:
        """Whether the training reached its end, and `config` asks for the same end."""
        return self.is_finished() and ends(self.config()) == ends(config)

    def has_checkpoints(self) -> bool:
        """Whether anything was saved."""
        return any(self.checkpoints.glob("*.ckpt"))

    def resume_checkpoints(self) -> list[Path]:
        """The checkpoints that a training may go on from, the newest first."""
        return [path for path in (self.last, self.checkpoints / PREVIOUS) if path.is_file()]

    def require_same(self, config: Config) -> None:
        """Raises ValueError with the differences when the directory holds another run, or something else."""
        if not self.config_file.exists():
            if self.path.exists() and not self._is_unstarted():
                raise ValueError(f"{self.path}: holds files but no run. Choose another name=..., or clear it.")
            return
        changed = self.changes(config)
        if changed.decisive and (self.has_checkpoints() or self.is_finished()):
            raise ValueError(refusal_message(self.path, changed, next(iter(self.resume_checkpoints()), None)))

    def changes(self, config: Config) -> Changes:
        """In what `config` differs from the configuration that the run was trained by, as far as it has any."""
        from pix2pix.config.defaults import alike  # knows all classes, and torch

        return compare_configs(*alike(self.config(), config)) if self.config_file.is_file() else Changes()

    def _is_unstarted(self) -> bool:
        """Whether there is no more than what a run leaves that is killed before its configuration is in place."""
        if not self.path.is_dir() or (self.checkpoints.is_dir() and any(self.checkpoints.iterdir())):
            return False
        return {file.name for file in self.path.iterdir()} <= {"checkpoints", temporary_path(self.config_file).name}

    def require_same_data(self, fingerprint: str) -> None:
        """Raises ValueError when the run was trained on other pairs than those of the fingerprint.

        A run that saved nothing yet may begin again on data that were mended.
        """
        there = self.provenance().get("data_fingerprint", fingerprint)
        if there != fingerprint and self.resume_checkpoints():
            raise self.other_data_error("files were added, removed or changed, or the path is another")

    def other_data_error(self, why: str) -> ValueError:
        """What to say where the pairs are no longer those that the run was trained on."""
        return ValueError(
            f"{self.path}: was trained on other data than these: {why}. Give this run a name of its own, name=..., "
            "bring the data back, or go on with these: allow_changed_data=true."
        )

    def set_aside(self) -> Path | None:
        """Renames the directory to `NAME.before-1`, -2 ..., so that the run can begin again; None without a run.

        Waits while another process trains it.
        """
        if not self.path.is_dir():
            return None
        with lock_directory(self.path):
            if not self.config_file.is_file():
                return None
            names = (self.path.with_name(f"{self.path.name}.before-{number}") for number in itertools.count(1))
            return self.path.rename(next(name for name in names if not name.exists()))

    @contextmanager
    def open_session(self, config: Config, data_fingerprint: str) -> Iterator[bool]:
        """Holds the directory for one training; writes configuration and provenance, whole or not at all.

        Waits while another process trains the same run; gives False when that one finished it. Raises ValueError when
        the directory has become another run's, OSError naming a directory that cannot be written.
        """
        with ExitStack() as stack:
            self._start_session(config, data_fingerprint, stack)
            yield not self.is_done(config)

    def _start_session(self, config: Config, data_fingerprint: str, stack: ExitStack) -> None:
        new = not self.path.exists()
        try:
            stack.enter_context(lock_directory(self.path))
            self.checkpoints.mkdir(exist_ok=True)
            if self.config_file.exists():
                self.require_same(config)
                if not config["allow_changed_data"]:
                    self.require_same_data(data_fingerprint)
            if self.is_done(config):
                return
            self._note_session(config, data_fingerprint)
        except OSError as error:
            if new:
                self._remove_leftovers()
            raise OSError(
                f"{self.path}: cannot write the run ({error}). Set output_dir=... to a folder that takes it."
            ) from error

    def _note_session(self, config: Config, data_fingerprint: str) -> None:
        """Brings the configuration up to date, and keeps in the provenance what it was before."""
        changed = self.changes(config)
        log_changes(self.path, changed)
        before = self.provenance()
        before.pop("best", None)
        now = describe_session() | (
            {"changed": {c.key: [c.there, c.here] for c in changed.all()}} if changed.all() else {}
        )
        sessions = {"sessions": [*before.get("sessions", []), now]}
        self._write_provenance(**before | {"finished": False, "data_fingerprint": data_fingerprint} | sessions)
        if changed.all() or not self.config_file.exists():
            write_text_atomic(self.config_file, yaml.safe_dump(config, sort_keys=False))

    def note_resumed_from(self, checkpoint: Path, step: int) -> None:
        """Notes in the provenance where the present session takes up the training."""
        content = self.provenance()
        content["sessions"][-1] |= {"checkpoint": str(checkpoint), "step": step}
        self._write_provenance(**content)

    def threads(self) -> int | None:
        """How many threads a training on the CPU has computed with; None where it saved nothing, or it is not known."""
        return self.provenance().get("threads") if self.resume_checkpoints() else None

    def note_threads(self, number: int) -> None:
        """Notes the threads of the present session; those of the first one that saved stay the run's."""
        content = self.provenance()
        if content.get("sessions"):
            content["threads"] = self.threads() or number
            content["sessions"][-1] |= {"threads": number}
            self._write_provenance(**content)

    def finish(self, best: Mapping[str, float]) -> None:
        """Marks the run as done, with the best value of the metric that chose `best.ckpt`."""
        self._write_provenance(**self.provenance() | {"finished": True, "best": dict(best)})

    def best(self) -> float | None:
        """The best value of the metric that chose `best.ckpt`; None while the run is not finished."""
        return next(iter(self.provenance().get("best", {}).values()), None)

    def checkpoint(self, which: str) -> Path:
        """The checkpoint `best`, `last`, `epoch=N` or at a path. Raises FileNotFoundError listing those there are."""
        path = self.checkpoints / f"{which}.ckpt" if re.fullmatch(r"best|last|epoch=\d+", which) else Path(which)
        if not path.is_file():
            kept = ", ".join(sorted(p.stem for p in self.checkpoints.glob("*.ckpt"))) or "none yet"
            raise FileNotFoundError(
                f"{path}: no such checkpoint. {self.path} has: {kept}; --checkpoint takes one of these or a path."
            )
        return path

    def require_inside(self, folder: Path) -> None:
        """Raises ValueError where a link leads out of the run: a foreign one must not choose what is written over."""
        if not folder.resolve().is_relative_to(self.path.resolve()):
            raise ValueError(f"{folder}: leads out of the run, to {folder.resolve()}. Remove the link.")

    def set_damaged_provenance_aside(self) -> None:
        """Renames a provenance.json that cannot be read: it is a log, and no reason to lose a training."""
        try:
            self.provenance()
        except ValueError:
            names = (self.path / f"provenance.unreadable-{number}.json" for number in itertools.count(1))
            aside = self.provenance_file.rename(next(name for name in names if not name.exists()))
            log.warning(
                "%s cannot be read. It was renamed to %s. The run continues; the history of its sessions is lost.",
                *(self.provenance_file, aside.name),
            )

    def _config_error(self, why: str) -> ValueError:
        """What to say of a config.yaml that is none."""
        saved = self.resume_checkpoints()
        other = f" Or continue it under another name: name=... resume={saved[0]}." if saved else ""
        return ValueError(
            f"{self.config_file}: {why}. Restore a copy; each checkpoint holds the same configuration, under "
            f"`config`.{other} Or start over with resume=never: the old run is renamed."
        )

    def _write_provenance(self, **content: Any) -> None:
        write_text_atomic(self.provenance_file, json.dumps(content, indent=2) + "\n")

    def _remove_leftovers(self) -> None:
        if not self.path.is_dir():
            return
        for leftover in (self.config_file, self.provenance_file):
            leftover.unlink(missing_ok=True)
        for folder in (self.checkpoints, self.path):
            if folder.is_dir():
                folder.rmdir()


@contextmanager
def lock_directory(directory: Path) -> Iterator[None]:
    """Locks the directory itself; the lock ends with the process, however it ends. No lock on Windows.

    `filelock` would lock a file in it. But a run that is set aside is renamed with its files, so that a process that
    waited would hold the lock of the renamed run; on the directory, `_open_locked` notices that.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if fcntl is None:
        yield
        return
    while (descriptor := _open_locked(directory)) is None:
        directory.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        os.close(descriptor)


def _open_locked(directory: Path) -> int | None:
    """The descriptor that holds the lock; None where the directory was set aside while we waited for it."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        log.info("%s is being trained by another process; waiting for it to end.", directory)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    if directory.is_dir() and os.path.samestat(os.fstat(descriptor), directory.stat()):
        return descriptor
    os.close(descriptor)
    return None


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
