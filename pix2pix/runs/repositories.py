"""The state of the git repositories that a training's code comes from: commit, changes, files not yet added."""

import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pix2pix.core.addresses import hide_secrets

TIMEOUT = 10  # seconds for one command of git: a repository may hold millions of files
MAX_DIFF = 2**20  # characters of a diff that is kept
MAX_UNTRACKED = 100  # names of files that are not added
# Read only: take no lock, run no monitor that the repository names.
GIT = ("git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "core.quotepath=false")


def find_repositories(modules: Iterable[str]) -> list[Path]:
    """The git repositories that hold the working directory, this package and other imported modules."""
    folders = [Path.cwd(), *_find_folders({"pix2pix", *modules})]
    found = (_run_git(folder, "rev-parse", "--show-toplevel") for folder in dict.fromkeys(folders))
    return list(dict.fromkeys(Path(path.rstrip("\n")) for path in found if path))


def _find_folders(modules: Iterable[str]) -> Iterator[Path]:
    """The folders of imported modules, without installed packages, whose versions are recorded elsewhere."""
    for name in sorted(modules):
        file = getattr(sys.modules.get(name), "__file__", None)
        if file and "site-packages" not in Path(file).parts:
            yield Path(file).parent


def describe_repository(repository: Path) -> tuple[dict[str, Any], str]:
    """The commit of a repository, whether its files differ from it, and which are not added; and the diff.

    The diff is empty where nothing differs, and where it would have more than a million characters. What git cannot
    tell in time is None.
    """
    commit = _run_git(repository, "rev-parse", "HEAD")
    diff = _run_git(repository, "diff", "--no-ext-diff", "--no-textconv", "HEAD") if commit else None
    untracked = _run_git(
        repository, "ls-files", "--others", "--exclude-standard", "--directory", "--no-empty-directory"
    )
    state = {
        "path": str(repository),
        "commit": commit and commit.strip(),
        "dirty": None if diff is None else bool(diff),
        "untracked": None if untracked is None else untracked.splitlines()[:MAX_UNTRACKED],
    }
    return state, hide_secrets(diff) if diff and len(diff) <= MAX_DIFF else ""


def _run_git(folder: Path, *command: str) -> str | None:
    """The output of a git command, cut to the greatest length of a diff; None if git fails or is slow."""
    try:
        git = subprocess.Popen(
            [*GIT, "-C", str(folder), *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
    except OSError:  # there is no git
        return None
    with git:
        timer = threading.Timer(TIMEOUT, git.kill)
        timer.start()
        assert git.stdout is not None
        text = git.stdout.read(MAX_DIFF + 1)
        is_cut = len(text) > MAX_DIFF
        if is_cut:
            git.kill()
        failed = git.wait() != 0
        timer.cancel()
    return text if is_cut or not failed else None
