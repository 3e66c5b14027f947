"""A run is a directory: where its files are, how far it got, what it was made of."""

import datetime
import itertools
import json
import logging
import math
import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

try:
    import fcntl
except ImportError:  # no such locks on Windows
    fcntl = None

log = logging.getLogger(__name__)

Config = dict[str, Any]
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C, a tenth of the time, is not built everywhere
# Where things lie may change when a run or its data are moved; the fingerprint tells whether the data are the same.
WHEREABOUTS = {"output_dir", "run_dir", "data.root", "data.path", "data.pairs.path"}
WHEREABOUTS |= {"resume", "allow_changed_data"}  # how it goes on is not what it is
WHEREABOUTS |= {"data.num_workers", "data.cache", "data.cache_dir", "data.cache_gigabytes"}  # no pixel depends on these
# A run may go on upon other devices, and says what that changes; `data.batch_size` may then keep the pairs of a step.
DEVICES = {"accelerator", "devices", "num_nodes", "strategy", "deterministic", "benchmark"}


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
        """The resolved configuration. Raises FileNotFoundError when this is no run."""
        if not self.config_file.is_file():
            raise FileNotFoundError(
                f"{self.path}: not a run, it has no config.yaml. Give a directory that `pix2pix train` made."
            )
        return yaml.load(self.config_file.read_text(), LOADER)

    def provenance(self) -> dict[str, Any]:
        """What made the run, and whether it is finished; empty before it began."""
        return json.loads(self.provenance_file.read_text()) if self.provenance_file.is_file() else {}

    def finished(self) -> bool:
        """Whether the training reached its end."""
        return bool(self.provenance().get("finished"))

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
        return {file.name for file in self.path.iterdir()} <= {"checkpoints", f".{self.config_file.name}.part"}

    def require_same_data(self, fingerprint: str) -> None:
        """Raises ValueError when the run was trained on other pairs than those of the fingerprint.

        A run that saved nothing yet may begin again on data that were mended.
        """
        there = self.provenance().get("data_fingerprint", fingerprint)
        if there != fingerprint and self.last.is_file():
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
            sessions = [*self.provenance().get("sessions", []), _session()]
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


def write(path: Path, text: str) -> None:
    """Writes a file whole or not at all: a reader never meets half of it, nor does a killed process leave half."""
    with replacing(path) as part, part.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write beside `path`, which takes its place when the block ends well and vanishes when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def differences(there: Config, here: Config) -> Iterator[tuple[str, Any, Any]]:
    """The settings in which two configurations differ, by dotted name.

    Where a run lies is no difference, nor is who watches it: loggers may be added to a run and left out. Nor are the
    devices it is trained on.
    """
    a, b = dict(flat(there)), dict(flat(here))
    same_step = pairs_of_a_step(there) == pairs_of_a_step(here) is not None
    for key in sorted(a.keys() | b.keys()):
        if _part_of_the_run(key, same_step) and a.get(key, "nothing") != b.get(key, "nothing"):
            yield key, a.get(key, "nothing"), b.get(key, "nothing")


def _part_of_the_run(key: str, same_step: bool) -> bool:
    group, name = [*key.split("."), ""][:2]
    of_devices = (group == "trainer" and name in DEVICES) or (key == "data.batch_size" and same_step)
    return key not in WHEREABOUTS and group != "logger" and not of_devices


def pairs_of_a_step(config: Config) -> int | None:
    """Pairs in a training step over all processes; None where the number of processes depends on the machine."""
    trainer, batch = config.get("trainer", {}), config.get("data", {}).get("batch_size")
    devices = trainer.get("devices", 1)
    numbers = (batch, 1 if devices == "auto" else devices, trainer.get("num_nodes", 1))  # trainer=auto takes one
    return math.prod(numbers) if all(isinstance(number, int) and number > 0 for number in numbers) else None


def without_whereabouts(config: Config, prefix: str = "") -> Config:
    """The configuration for others to read: folders of this machine by name alone, no loggers."""
    return {
        key: {}
        if f"{prefix}{key}" == "logger"
        else without_whereabouts(value, f"{prefix}{key}.")
        if isinstance(value, dict)
        else Path(value).name
        if f"{prefix}{key}" in WHEREABOUTS and isinstance(value, str)
        else value
        for key, value in config.items()
    }


def flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The settings of a tree by their dotted names."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _session() -> dict[str, Any]:
    packages = ("pix2pix", "torch", "pytorch-lightning", "hydra-core", "numpy", "pillow")
    return {
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": f"{sys.argv[0]} {shlex.join(sys.argv[1:])}",
        "working_directory": str(Path.cwd()),
        "host": platform.node(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in packages},
        "git_commit": _git_commit(),
    }


def _git_commit() -> str | None:
    """The commit of the checkout that the package runs from; None for an installed package."""
    checkout = Path(__file__).parents[1]
    if not (checkout / ".git").exists():
        return None
    command = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
