"""The structure that CONTRIBUTING.md promises: which way imports point, and who knows Hydra."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "pix2pix"
FLOORS = [("networks", "losses", "data"), ("model",), ("experiment",), ("composition",), ("commands", "cli")]


def imports(file: Path) -> set[str]:
    """The names of what a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        if isinstance(node, ast.ImportFrom):
            found |= {str(node.module)} | {f"{node.module}.{name.name}" for name in node.names}
    return found


def module_name(file: Path) -> str:
    return ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


IMPORTS = {module_name(file): imports(file) for file in PACKAGE.rglob("*.py")}


def reached(module: str) -> set[str]:
    """The modules of ours that a module imports, directly or through others."""
    found, waiting = set(), [module]
    while waiting:
        new = (IMPORTS[waiting.pop()] & IMPORTS.keys()) - found - {"pix2pix"}
        found |= new
        waiting += new
    return found


def within(module: str, places: tuple[str, ...]) -> bool:
    return f"{module}.".split(".")[1] in places


@pytest.mark.parametrize("floor", range(len(FLOORS) - 1), ids=lambda floor: FLOORS[floor][0])
def test_imports_point_one_way(floor):
    above = tuple(place for places in FLOORS[floor + 1 :] for place in places)
    inside = [module for module in IMPORTS if within(module, FLOORS[floor])]
    assert inside
    assert {module: up for module in inside if (up := {name for name in reached(module) if within(name, above)})} == {}


def test_only_composition_knows_hydra():
    knowing = {module for module, names in IMPORTS.items() if any(n.startswith(("hydra", "omegaconf")) for n in names)}
    assert knowing == {"pix2pix.config.compose"}
