"""The home folder, as ~ in a path."""

import os
from pathlib import Path


def expand_home(path: str | Path) -> Path:
    """The path with the home folder for a leading ~ or ~USER; unchanged where ~ begins the name of a folder."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path.expanduser raises for a user that does not exist
