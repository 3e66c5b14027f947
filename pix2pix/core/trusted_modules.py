"""The modules whose classes this user trusts: the user's own trainings note them, as ssh notes known hosts."""

import contextlib
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from filelock import FileLock

from pix2pix.core import instantiate
from pix2pix.core.atomic_files import write_text_atomic
from pix2pix.core.instantiate import TARGET

log = logging.getLogger(__name__)

OWN_PACKAGE = Path(__file__).parents[1].name
FILE_VARIABLE = "PIX2PIX_TRUSTED_MODULES"  # the environment variable that names another file of trusted modules
HEADER = "# Modules whose classes pix2pix may build when a run or a checkpoint names them, one on each line.\n"
USUAL_CLASSES = ("torch.optim.", "pytorch_lightning.Trainer")  # foreign classes that pix2pix's own configurations name


def foreign_modules(tree: Any) -> set[str]:
    """The foreign modules of all classes in a configuration: those it names, and those that define the classes."""
    if isinstance(tree, list | tuple):
        return set().union(*map(foreign_modules, tree))
    if not isinstance(tree, Mapping):
        return set()
    # A class may be named by a package that only imports it (`mylab.Net` from `mylab.nets`): both are noted.
    found = set().union(*map(foreign_modules, tree.values()))
    path = tree.get(TARGET)
    if isinstance(path, str) and path.split(".")[0] != OWN_PACKAGE and not path.startswith(USUAL_CLASSES):
        with contextlib.suppress(ValueError):  # among plain values it need not be a class
            found |= {instantiate.locate_factory(path).__module__, path.rpartition(".")[0]}
    return {module for module in found if module.split(".")[0] not in {*sys.stdlib_module_names, OWN_PACKAGE}}


def remember_modules(tree: Any) -> None:
    """Adds the modules of the user's own configuration to the file; warns when the file cannot be written."""
    file, modules = trusted_modules_file(), foreign_modules(tree)
    if modules <= read_trusted_modules():
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_name(f".{file.name}.lock")):
            # Read again under the lock: the trainings of a sweep start together.
            write_text_atomic(
                file, HEADER + "".join(f"{module}\n" for module in sorted(modules | read_trusted_modules()))
            )
    except OSError as error:
        log.warning(
            "%s: cannot be written (%s). To use this run later, pass --trust %s.",
            file,
            error,
            " --trust ".join(modules),
        )


def read_trusted_modules() -> set[str]:
    """The modules that this user's trainings added."""
    try:
        lines = trusted_modules_file().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return set()
    return {line for line in map(str.strip, lines) if is_dotted_name(line)}


def trusted_modules_file() -> Path:
    """The file of trusted modules: PIX2PIX_TRUSTED_MODULES, else one in the user's folder of settings."""
    named = os.environ.get(FILE_VARIABLE)
    return Path(named) if named else Path(click.get_app_dir("pix2pix")) / "trusted_modules"


def is_dotted_name(name: str) -> bool:
    """Whether a text has the form of a dotted Python name."""
    return all(part.isidentifier() for part in name.split("."))
