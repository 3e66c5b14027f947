"""Finds a user's own configurations in the folder `configs` of the working directory."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger(__name__)

FOLDER = "configs"
FLAGS = ("--config-dir", "-cd")
MAX_NAMED = 3  # options that the message names


def add_own_configs(words: list[str], package_configs: Path) -> list[str]:
    """The words of a command line with `--config-dir configs`, if the working directory has such a folder.

    Hydra looks in it last, so it adds options to the groups and replaces none of this package. A folder without such
    options, of another program, is passed over, and so is this package's own tree.

    Args:
        words: the words; with a `--config-dir` they stay as they are.
        package_configs: the configurations of this package.
    """
    folder = Path.cwd() / FOLDER
    if (
        any(word.partition("=")[0] in FLAGS for word in words)
        or not folder.is_dir()
        or folder.samefile(package_configs)
    ):
        return words
    options = list(_find_options(folder, package_configs))
    if not options:
        return words
    more = f" and {len(options) - MAX_NAMED} more" if len(options) > MAX_NAMED else ""
    log.info("Also using the options in %s: %s%s.", folder, ", ".join(options[:MAX_NAMED]), more)
    return [*words, FLAGS[0], str(folder)]


def _find_options(folder: Path, package_configs: Path) -> Iterator[str]:
    """The options that a folder adds to the groups of this package, as they are chosen: GROUP=OPTION."""
    for directory, folders, files in os.walk(package_configs):
        folders.sort()
        group = Path(directory).relative_to(package_configs)
        own = sorted((folder / group).glob("*.yaml")) if group.parts and group.parts[0] != "hydra" else ()
        for file in own:
            if not file.name.startswith("_") and file.name not in files:
                yield f"{group.as_posix()}={file.stem}"
