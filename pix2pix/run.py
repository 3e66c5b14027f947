"""A run is a directory: where its files are, how far it got, what it was made of."""

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

from pix2pix.configuration import Config, differences
from pix2pix.provenance import session
from pix2pix.trust import require_plain
from pix2pix.whole_files import part_of, write

try:
    import fcntl
except ImportError:  # no such locks on Windows
    fcntl = None

log = logging.getLogger(__name__)

PREVIOUS = "previous.ckpt"  # what last.ckpt was before
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C, a tenth of the time, is not built everywhere


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
        self.evaluation = self.path / "evaluation"

    def config(self) -> Config:
        """The resolved configuration.

        Raises:
            FileNotFoundError: when this is no run.
            ValueError: when the file is damaged.
        """
        if not self.config_file.is_file():
            raise FileNotFoundError(
                f"{self.path}: not a run, it has no config.yaml. Give a directory that `pix2pix train` made."
            )
        try:
            config = yaml.load(self.config_file.read_text(encoding="utf-8"), LOADER)
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(
                f"{self.config_file}: cannot be read ({str(error).splitlines()[0]}); it was cut short or damaged. "
                "Bring a copy back: each checkpoint of the run holds the same configuration."
            ) from error
        require_plain(config, self.config_file)
        return config

    def provenance(self) -> dict[str, Any]:
        """What made the run, and whether it is finished; empty before it began."""
        return json.loads(self.provenance_file.read_text(encoding="utf-8")) if self.provenance_file.is_file() else {}

    def finished(self) -> bool:
        """Whether the training reached its end."""
        return bool(self.provenance().get("finished"))

    def saved(self) -> list[Path]:
        """The checkpoints that a training may go on from, the newest first."""
        return [path for path in (self.last, self.checkpoints / PREVIOUS) if path.is_file()]

    def require_same(self, config: Config) -> None:
        """Raises ValueError with the differences when the directory holds another run, or something else."""
        if not self.config_file.exists():
            if self.path.exists() and not self._hardly_begun():
                raise ValueError(f"{self.path}: holds files but no run. Choose another name=..., or clear it.")
            return
        changed = list(differences(self.config(), config))
        if changed:
            raise ValueError(
                f"{self.path}: holds a run with another configuration:\n"
                + "\n".join(f"  {key}: {there} there, {here} here" for key, there, here in changed)
                + "\nGive this run a name of its own, name=..., or delete that directory."
            )

    def _hardly_begun(self) -> bool:
        """Whether there is no more than what a run leaves that is killed before its configuration is in place."""
        if not self.path.is_dir() or (self.checkpoints.is_dir() and any(self.checkpoints.iterdir())):
            return False
        return {file.name for file in self.path.iterdir()} <= {"checkpoints", part_of(self.config_file).name}

    def require_same_data(self, fingerprint: str) -> None:
        """Raises ValueError when the run was trained on other pairs than those of the fingerprint.

        A run that saved nothing yet may begin again on data that were mended.
        """
        there = self.provenance().get("data_fingerprint", fingerprint)
        if there != fingerprint and self.saved():
            raise ValueError(
                f"{self.path}: was trained on other data than these: files were added, removed or changed, or the path "
                "is another. Give this run a name of its own, name=..., bring the data back, or go on with these: "
                "allow_changed_data=true."
            )

    def set_aside(self) -> Path | None:
        """Renames the directory to `NAME.before-1`, -2 ..., so that the run can begin again; None without a run."""
        if not self.config_file.is_file():
            return None
        names = (self.path.with_name(f"{self.path.name}.before-{number}") for number in itertools.count(1))
        return self.path.rename(next(name for name in names if not name.exists()))

    @contextmanager
    def begun(self, config: Config, data_fingerprint: str) -> Iterator[bool]:
        """Holds the directory for one training; writes configuration and provenance, whole or not at all.

        Waits while another process trains the same run; gives False when that one finished it. Raises ValueError when
        the directory has become another run's, OSError naming a directory that cannot be written.
        """
        with ExitStack() as stack:
            self._begin(config, data_fingerprint, stack)
            yield not self.finished()

    def _begin(self, config: Config, data_fingerprint: str, stack: ExitStack) -> None:
        new = not self.path.exists()
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            stack.enter_context(_held(self.path))
            if self.config_file.exists():
                self.require_same(config)
                if not config["allow_changed_data"]:
                    self.require_same_data(data_fingerprint)
            if self.finished():
                return
            if not self.config_file.exists():
                write(self.config_file, yaml.safe_dump(config, sort_keys=False))
            sessions = [*self.provenance().get("sessions", []), session()]
            self._write_provenance(finished=False, data_fingerprint=data_fingerprint, sessions=sessions)
        except OSError as error:
            if new:
                self._remove_what_began()
            raise OSError(
                f"{self.path}: cannot write the run ({error}). Set output_dir=... to a folder that takes it."
            ) from error

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

    def _write_provenance(self, **content: Any) -> None:
        write(self.provenance_file, json.dumps(content, indent=2) + "\n")

    def _remove_what_began(self) -> None:
        if not self.path.is_dir():
            return
        for leftover in (self.config_file, self.provenance_file):
            leftover.unlink(missing_ok=True)
        for folder in (self.checkpoints, self.path):
            if folder.is_dir():
                folder.rmdir()


@contextmanager
def _held(directory: Path) -> Iterator[None]:
    """A lock on the directory itself, which ends with the process that holds it, however it ends."""
    if fcntl is None:
        yield
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("%s is being trained by another process; waiting for it to end.", directory)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
