"""A run directory: its files, its progress and its provenance."""

import json
import logging
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pix2pix.core.arguments import require_path
from pix2pix.core.atomic_files import temporary_path, write_text_atomic
from pix2pix.core.tables import make_table
from pix2pix.runs.changes import Changes, compare_configs, log_changes, refusal_message
from pix2pix.runs.directory_lock import lock_directory, rename_aside
from pix2pix.runs.errors import no_run_error, other_data_error, unusable_config_error
from pix2pix.runs.metrics import rows_by_step
from pix2pix.runs.provenance import FOLDER, describe_session, read_provenance

if TYPE_CHECKING:
    from pix2pix.config.schema import RunConfig

log = logging.getLogger(__name__)

PREVIOUS = "previous.ckpt"  # the last.ckpt before the present one
DEFAULT_CHECKPOINT = "last"  # the best one by a metric such as SSIM may be that of an almost untrained network


class Run:
    """The directory of one training, which is self-sufficient.

    Args:
        path: the directory; it need not exist yet.

    Raises:
        ValueError: for an empty text.
    """

    def __init__(self, path: str | Path) -> None:
        require_path(path, "run")
        self.path = Path(path)
        self.config_file = self.path / "config.yaml"
        self.provenance_file = self.path / "provenance.json"
        self.checkpoints = self.path / "checkpoints"
        self.last_checkpoint = self.checkpoints / "last.ckpt"
        self.inventory_file = self.path / "data_files.npz"
        self.evaluation = self.path / "evaluation"

    def config(self) -> "RunConfig":
        """The resolved configuration.

        Raises:
            FileNotFoundError: if this is not a run.
            ValueError: if the file is damaged or belongs to another program.
        """
        if not self.config_file.is_file():
            raise FileNotFoundError(
                f"{self.path}: not a run, it has no config.yaml. Give a directory that `pix2pix train` made."
            )
        from pix2pix.config.saved import UnreadableConfigError, read_config  # imports torch

        try:
            return read_config(self.config_file)
        except UnreadableConfigError as error:
            raise unusable_config_error(self.config_file, str(error), self.resume_checkpoints()) from error

    def metrics(self) -> Any:
        """All logged numbers, a row for each step: a `pandas.DataFrame`, or without pandas a list of dictionaries."""
        return make_table(rows_by_step(self.path / "metrics.csv"))

    def provenance(self) -> dict[str, Any]:
        """What made the run, and whether it is finished; empty before the start. Raises ValueError if damaged."""
        return read_provenance(self.provenance_file)

    def is_finished(self) -> bool:
        """Whether the training reached its end; False if the provenance is damaged."""
        try:
            return bool(self.provenance().get("finished"))
        except ValueError:
            return False

    def is_complete_for(self, config: "RunConfig") -> bool:
        """Whether the run is finished and `config` does not train it further; see `pix2pix.runs.progress`."""
        from pix2pix.runs.progress import is_complete_for  # imports torch

        return is_complete_for(self, config)

    def has_checkpoints(self) -> bool:
        """Whether any checkpoint was saved."""
        return any(self.checkpoints.glob("*.ckpt"))

    def resume_checkpoints(self) -> list[Path]:
        """The checkpoints that the run can resume from, the newest first."""
        return [path for path in (self.last_checkpoint, self.checkpoints / PREVIOUS) if path.is_file()]

    def require_same(self, config: "RunConfig") -> None:
        """Raises ValueError with the differences if the directory holds another run, or other files."""
        if not self.config_file.exists():
            if self.path.exists() and not self._is_unstarted():
                raise no_run_error(self.path, self.resume_checkpoints())
            return
        changed = self.changes(config)
        if changed.decisive and (self.has_checkpoints() or self.is_finished()):
            raise ValueError(refusal_message(self.path, changed, next(iter(self.resume_checkpoints()), None)))

    def changes(self, config: "RunConfig") -> Changes:
        """How `config` differs from the recorded configuration; no changes if the run has none yet."""
        return compare_configs(self.config(), config) if self.config_file.is_file() else Changes()

    def _is_unstarted(self) -> bool:
        """Whether it contains only leftovers of a run killed before it wrote its configuration."""
        if not self.path.is_dir() or (self.checkpoints.is_dir() and any(self.checkpoints.iterdir())):
            return False
        # `_record_session` writes these before the configuration, and each file under its temporary name first.
        files = (self.provenance_file, temporary_path(self.provenance_file), temporary_path(self.config_file))
        return {file.name for file in self.path.iterdir()} <= {"checkpoints", FOLDER, *(file.name for file in files)}

    def require_same_data(self, fingerprint: str) -> None:
        """Raises ValueError if the run was trained on other pairs than those of the fingerprint.

        A run without a checkpoint may start over on repaired data.
        """
        recorded = self.provenance().get("data_fingerprint", fingerprint)
        if recorded != fingerprint and self.resume_checkpoints():
            raise other_data_error(self.path, "files were added, removed or changed, or the path is another")

    def archive(self) -> Path | None:
        """Renames the directory to `NAME.before-1`, -2 ..., so that the run can start over; None without a run.

        Waits while another process trains it.
        """
        if not self.path.is_dir():
            return None
        with lock_directory(self.path):
            if not self.config_file.is_file():
                return None
            return rename_aside(self.path, f"{self.path.name}.before")

    @contextmanager
    def open_session(self, config: "RunConfig", data_fingerprint: str) -> Iterator[bool]:
        """Locks the directory for one training, and writes configuration and provenance atomically.

        Waits while another process trains the same run, and yields False if that process left nothing to train. Raises
        ValueError if the directory now holds another run, and OSError if it cannot be written.
        """
        with ExitStack() as stack:
            yield self._start_session(config, data_fingerprint, stack)

    def _start_session(self, config: "RunConfig", data_fingerprint: str, stack: ExitStack) -> bool:
        """Locks the directory and records the session; False if there is nothing to train."""
        is_new = not self.path.exists()  # removed again if it cannot be written, so that its name stays free
        try:
            stack.enter_context(lock_directory(self.path))
            is_new = is_new and not any(self.path.iterdir())  # another process may have trained it meanwhile
            self.checkpoints.mkdir(exist_ok=True)
            if self.config_file.exists():
                self.require_same(config)
                if not config.allow_changed_data:
                    self.require_same_data(data_fingerprint)
            # Checked again under the lock: another process may have finished the run since the first check.
            if self.is_complete_for(config):
                return False
            self._record_session(config, data_fingerprint)
            return True
        except OSError as error:
            if is_new:
                self._remove_leftovers()
            raise OSError(
                f"{self.path}: cannot write the run ({error.strerror or error}). Set output_dir=... to another folder."
            ) from error

    def _record_session(self, config: "RunConfig", data_fingerprint: str) -> None:
        """Writes the new configuration, and records what has changed in the provenance."""
        # The recorded configuration becomes the new one; what differed is kept with the session that changed it.
        changed = self.changes(config)
        log_changes(self.path, changed)
        before = {name: value for name, value in self.provenance().items() if name != "best"}
        now = describe_session(self.path, config)
        if changed.all():
            now["changed"] = {c.key: [c.there, c.here] for c in changed.all()}
        sessions = {"sessions": [*before.get("sessions", []), now]}
        self._write_provenance(**before | {"finished": False, "data_fingerprint": data_fingerprint} | sessions)
        if changed.all() or not self.config_file.exists():
            write_text_atomic(self.config_file, yaml.safe_dump(config.to_mapping(), sort_keys=False))

    def record_resumption(self, checkpoint: Path, step: int) -> None:
        """Records the checkpoint and step from which the present session resumes."""
        content = self.provenance()
        content["sessions"][-1] |= {"checkpoint": str(checkpoint), "step": step}
        self._write_provenance(**content)

    def threads(self) -> int | None:
        """The number of threads of a training on the CPU; None if unknown or if it has no checkpoint."""
        return self.provenance().get("threads") if self.resume_checkpoints() else None

    def record_threads(self, number: int) -> None:
        """Records the threads of the present session. The run keeps those of its first session that saved."""
        content = self.provenance()
        if content.get("sessions"):
            content["threads"] = self.threads() or number
            content["sessions"][-1] |= {"threads": number}
            self._write_provenance(**content)

    def finish(self, best: Mapping[str, float]) -> None:
        """Marks the run as done, with the best value of the metric that chose `best.ckpt`."""
        self._write_provenance(**self.provenance() | {"finished": True, "best": dict(best)})

    def best_value(self) -> float | None:
        """The best value of the metric that chose `best.ckpt`; None before the run is finished."""
        return next(iter(self.provenance().get("best", {}).values()), None)

    def checkpoint(self, which: str) -> Path:
        """The checkpoint `best`, `last`, `epoch=N` or at a path. Raises FileNotFoundError with their list."""
        path = self.checkpoints / f"{which}.ckpt" if re.fullmatch(r"best|last|epoch=\d+", which) else Path(which)
        if not path.is_file():
            names = ", ".join(sorted(p.stem for p in self.checkpoints.glob("*.ckpt"))) or "none yet"
            raise FileNotFoundError(
                f"{path}: no such checkpoint. {self.path} has: {names}; --checkpoint takes one of these or a path."
            )
        return path

    def require_inside(self, folder: Path) -> None:
        """Raises ValueError if a link leads out of the run: an untrusted run must not choose what is overwritten."""
        if not folder.resolve().is_relative_to(self.path.resolve()):
            raise ValueError(f"{folder}: leads out of the run, to {folder.resolve()}. Remove the link.")

    def archive_damaged_provenance(self) -> None:
        """Renames an unreadable provenance.json, which must not stop a training."""
        try:
            self.provenance()
        except ValueError:
            aside = rename_aside(self.provenance_file, "provenance.unreadable", ".json")
            log.warning(
                "%s cannot be read. It was renamed to %s. The run continues; the history of its sessions is lost.",
                *(self.provenance_file, aside.name),
            )

    def _write_provenance(self, **content: Any) -> None:
        write_text_atomic(self.provenance_file, json.dumps(content, indent=2) + "\n")

    def _remove_leftovers(self) -> None:
        if self.path.is_dir():
            shutil.rmtree(self.path / FOLDER, ignore_errors=True)
            for file in (self.config_file, self.provenance_file):
                file.unlink(missing_ok=True)
            for folder in filter(Path.is_dir, (self.checkpoints, self.path)):
                folder.rmdir()
