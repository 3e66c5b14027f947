"""`pix2pix new`: writes a package for your own parts. Its files are those of the example of docs/extending.md."""

import importlib.util
import keyword
import os
import re
from pathlib import Path

import click

EXAMPLE = "mylab"
LEFT_OUT = {"__pycache__", ".pytest_cache", ".ruff_cache", "outputs"}  # what runs of the example leave in its folder
RESERVED = {"configs", "tests", "outputs"}  # other folders beside that of the package


@click.command()
@click.argument("name")
def new(name: str) -> None:
    """Write a package for your own networks, losses, pairs, metrics, schedules and callbacks.

    NAME is the new folder and the Python package in it. There is one class and one YAML of each kind to start from,
    an experiment that trains with all of them, and tests.

    \b
    pix2pix new mylab
    """
    from pix2pix.core.atomic_files import atomic_dir

    _require_free_name(name)
    with atomic_dir(Path(name)) as part:
        write_package(part, name)
    click.echo(f"{name}/: parts in {name}/{name}/, a YAML of each in {name}/configs/, and tests. Next:\n")
    click.echo(f"  cd {name} && pip install --editable .\n  pix2pix train experiment=discs")


def write_package(folder: Path, name: str) -> None:
    """Writes the example to `folder`, with `name` in place of its own name."""
    example = _find_example()
    for file in sorted(example.rglob("*")):
        path = file.relative_to(example)
        if file.is_file() and LEFT_OUT.isdisjoint(path.parts):
            copy = folder / str(path).replace(EXAMPLE, name)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(file.read_text(encoding="utf-8").replace(EXAMPLE, name), encoding="utf-8")


def _find_example() -> Path:
    """In a checkout the examples stand beside the package, in an installed wheel inside it."""
    package = Path(__file__).parents[1]
    return next(d for d in (package / "examples", package.parent / "examples") if d.is_dir()) / EXAMPLE


def _require_free_name(name: str) -> None:
    """Raises ValueError unless a new folder and a new Python package can have the name."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise ValueError(
            f"{name!r}: no name of a Python package. Use lower-case letters, digits and _, with a letter first, and no "
            "keyword of Python, as in my_lab."
        )
    if os.path.lexists(name):
        raise ValueError(f"{name}: exists already. Choose another name, or remove it.")
    if name in RESERVED or importlib.util.find_spec(name):
        taken = "a folder in the new package" if name in RESERVED else "a module that Python has already"
        raise ValueError(f"{name}: the name of {taken}. Choose another one.")
