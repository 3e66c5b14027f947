"""Records and reads what made a run: command, machine and package versions."""

import datetime
import functools
import hashlib
import json
import platform
import shlex
import subprocess
import sys
from collections.abc import Collection, Iterator
from importlib.metadata import Distribution, distributions, version
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any

from pix2pix.core.addresses import hide_secrets
from pix2pix.core.atomic_files import write_text_atomic
from pix2pix.core.trusted_modules import foreign_modules
from pix2pix.runs.repositories import describe_repository, find_repositories

if TYPE_CHECKING:
    from pix2pix.config.schema import RunConfig

FOLDER = "provenance"  # of the run: packages and diffs, each once
MAIN_PACKAGES = ("pix2pix", "torch", "pytorch-lightning", "hydra-core", "numpy", "pillow")

# The types of the values that are read back, and of what is in a list or mapping.
TYPES: dict[str, type] = {"sessions": list, "best": dict, "data_fingerprint": str, "threads": int, "imported": dict}
TYPES_WITHIN: dict[str, type | UnionType] = {"sessions": dict, "best": int | float}


def read_provenance(file: Path) -> dict[str, Any]:
    """The content of a run's provenance.json; empty if there is none. Raises ValueError if it is damaged."""
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        content, reason = None, next(iter(str(error).splitlines()), type(error).__name__)
    else:
        reason = "it does not hold what pix2pix writes there"
    # Only the types of what is read back are checked: anything may have been added.
    if isinstance(content, dict) and all(_has_type(content[key], key) for key in TYPES.keys() & content.keys()):
        return content
    raise ValueError(
        f"{file}: cannot be read ({reason}). Restore a copy, or remove it: the run continues without it, and only the "
        "history of its sessions is lost."
    )


def _has_type(value: Any, key: str) -> bool:
    if not isinstance(value, TYPES[key]):
        return False
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return all(isinstance(part, TYPES_WITHIN.get(key, object)) for part in parts)


def describe_session(run: Path, config: "RunConfig") -> dict[str, Any]:
    """What is recorded of a training session when it starts. Long texts are written to the run's folder."""
    folder = run / FOLDER
    modules = foreign_modules(config.to_mapping()) if config.provenance.code else None
    return {
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": hide_secrets(f"{sys.argv[0]} {shlex.join(sys.argv[1:])}"),
        "working_directory": str(Path.cwd()),
        "host": platform.node(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in MAIN_PACKAGES},
        "packages": _write(folder, "packages", ".txt", "\n".join(list_packages()) + "\n"),
        "git_commit": _git_commit(),
    } | ({} if modules is None else {"repositories": list(_describe_repositories(folder, modules))})


@functools.cache  # packages that are installed later are not imported by this process
def list_packages() -> tuple[str, ...]:
    """The installed packages as `pip freeze` lists them: NAME==VERSION, or NAME @ ADDRESS."""
    return tuple(sorted({hide_secrets(_describe_package(package)) for package in distributions()}, key=str.lower))


def _describe_package(package: Distribution) -> str:
    try:
        origin = json.loads(package.read_text("direct_url.json") or "{}")
    except ValueError:
        origin = {}
    source, url = origin.get("vcs_info"), origin.get("url")
    metadata = package.metadata  # each access reads the file again
    name = metadata["Name"]
    if source:
        return f"{name} @ {source.get('vcs')}+{url}@{source.get('commit_id')}"
    return f"{name} @ {url}" if url else f"{name}=={metadata['Version']}"


def _describe_repositories(folder: Path, modules: Collection[str]) -> Iterator[dict[str, Any]]:
    for repository in find_repositories(modules):
        state, diff = describe_repository(repository)
        yield state | ({"diff": _write(folder, repository.name, ".diff", diff)} if diff else {})


def _write(folder: Path, stem: str, suffix: str, text: str) -> str:
    """Writes a text under a name made of its digest, once for all sessions; returns the name in the run."""
    file = folder / f"{stem}-{hashlib.sha256(text.encode(errors='surrogateescape')).hexdigest()[:8]}{suffix}"
    if not file.is_file():
        write_text_atomic(file, text)
    return f"{FOLDER}/{file.name}"


def _git_commit() -> str | None:
    """The commit of the checkout that the package runs from; None for an installed package."""
    checkout = Path(__file__).parents[2]
    if not (checkout / ".git").exists():
        return None
    command = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, check=True, encoding="utf-8").stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
