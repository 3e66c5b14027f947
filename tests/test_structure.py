"""The structure that docs/architecture.md promises: twelve packages, and imports that point one way."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "pix2pix"
ORDER = (
    *("core", "models", "data", "datasets", "config", "runs"),
    *("inference", "evaluation", "training", "web", "export", "cli"),
)


def imports(file: Path) -> set[str]:
    """The names of what a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        if isinstance(node, ast.ImportFrom):
            found |= {str(node.module)} | {f"{node.module}.{name.name}" for name in node.names}
    return found


def module_name(file: Path) -> str:
    return ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


IMPORTS = {module_name(file): imports(file) for file in PACKAGE.rglob("*.py")}


def package_of(module: str) -> str:
    return f"{module}.".split(".")[1]


def test_the_listing_is_the_architecture():
    # what an old checkout leaves of folders that have moved has no files of ours
    entries = {path.name for path in PACKAGE.iterdir() if path.is_file() or any(path.glob("*.py"))}
    assert entries == {*ORDER, "__init__.py", "__main__.py", "py.typed"}


@pytest.mark.parametrize("package", ORDER)
def test_a_package_imports_only_from_those_before_it(package):
    before = {*ORDER[: ORDER.index(package) + 1], ""}
    upward = {
        module: up
        for module, names in IMPORTS.items()
        if package_of(module) == package
        and (up := {name for name in names & IMPORTS.keys() if package_of(name) not in before})
    }
    assert upward == {}


@pytest.mark.parametrize("package", ORDER)
def test_a_package_says_in_a_sentence_what_it_is(package):
    assert ast.get_docstring(ast.parse((PACKAGE / package / "__init__.py").read_text(encoding="utf-8")))


def test_pictures_know_nothing_of_where_pairs_come_from():
    of_images = [names & IMPORTS.keys() for module, names in IMPORTS.items() if ".data.images" in module]
    assert not [name for names in of_images for name in names if name.startswith("pix2pix.data.sources")]


def test_only_configuration_and_commands_know_hydra():
    knowing = {module for module, names in IMPORTS.items() if any(n.startswith(("hydra", "omegaconf")) for n in names)}
    assert knowing == {
        *("pix2pix.config.compose", "pix2pix.config.composition_errors", "pix2pix.config.quoting"),
        *("pix2pix.cli.launch", "pix2pix.cli.show", "pix2pix.cli.sweep_jobs"),
    }


def test_progress_bars_are_those_whose_lock_no_fork_can_keep():
    assert {module for module, names in IMPORTS.items() if "tqdm" in names} == {"pix2pix.core.progress_bars"}


def test_what_a_file_may_bring_is_built_by_core_trust_alone():
    """`instantiate.build` builds any class. The modules that call it are given settings that the user has typed."""
    build = "pix2pix.core.instantiate.build"
    building = {module for module, names in IMPORTS.items() if build in names or calls(module, "instantiate.build")}
    assert building == {
        "pix2pix.core.trust",
        *("pix2pix.config.check", "pix2pix.config.schedules", "pix2pix.datasets.preview", "pix2pix.training.build"),
        "pix2pix.evaluation.own_metrics",  # of --metric
        "pix2pix.export.import_reference",  # of a configuration that is written there
        "pix2pix.inference.rebuild",  # after trust.require_trusted
    }


def calls(module: str, function: str) -> bool:
    """Whether a module calls a function by this dotted name."""
    place = PACKAGE.parent.joinpath(*module.split("."))
    file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return any(isinstance(node, ast.Call) and ast.unparse(node.func) == function for node in ast.walk(tree))
