"""Records and reads what made a run: command, machine and package versions."""

import datetime
import json
import platform
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pix2pix.core.addresses import hide_secrets

TYPES: dict[str, type] = {"sessions": list, "best": dict}  # of the values that are read back


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
    if isinstance(content, dict) and all(isinstance(content.get(key, kind()), kind) for key, kind in TYPES.items()):
        return content
    raise ValueError(
        f"{file}: cannot be read ({reason}). Restore a copy, or remove it: the run continues without it, and only the "
        "history of its sessions is lost."
    )


def describe_session() -> dict[str, Any]:
    """What is recorded of a training session when it starts."""
    packages = ("pix2pix", "torch", "pytorch-lightning", "hydra-core", "numpy", "pillow")
    return {
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": hide_secrets(f"{sys.argv[0]} {shlex.join(sys.argv[1:])}"),
        "working_directory": str(Path.cwd()),
        "host": platform.node(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in packages},
        "git_commit": _git_commit(),
    }


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
