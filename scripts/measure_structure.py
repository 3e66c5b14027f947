"""Measures the structure of the package from its syntax trees, without importing it.

python scripts/measure_structure.py                   this checkout
python scripts/measure_structure.py 8fb8244 HEAD      commits side by side
"""

import argparse
import ast
import io
import re
import statistics
import subprocess
import sys
import tarfile
import tempfile
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

LONG_FUNCTION, LONG_FILE, WINDOW = 40, 250, 6  # lines
CONFIGURATIONS = {"config", "data", "trainer", "settings", "optimizer"}  # names that hold a configuration as a mapping
# Irregular participles and adjectives that a function must not be called; regular ones end in -ed.
PARTICIPLES = {
    "begun",
    "bound",
    "built",
    "cast",
    "chosen",
    "cut",
    "drawn",
    "fed",
    "found",
    "given",
    "gone",
    "held",
    "hidden",
    "kept",
    "known",
    "laid",
    "left",
    "lost",
    "made",
    "meant",
    "put",
    "read",
    "run",
    "said",
    "seen",
    "sent",
    "set",
    "shown",
    "spoken",
    "spread",
    "stored",
    "taken",
    "thought",
    "told",
    "torn",
    "understood",
    "written",
}
VERBS = {"cast", "cut", "put", "read", "run", "set", "spread", "feed", "embed", "seed", "need", "shed", "speed"}


def main() -> None:
    """Prints one column for each tree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commits", nargs="*", help="Commits to measure. Default: the files of this checkout.")
    commits = parser.parse_args().commits
    root = Path(__file__).resolve().parents[1]
    columns = {commit: measure_commit(root, commit) for commit in commits} or {"checkout": measure(root)}
    width = max(len(name) for column in columns.values() for name in column)
    print(f"{'':{width}}  " + "  ".join(f"{name:>10}" for name in columns))
    for name in next(iter(columns.values())):
        print(f"{name:{width}}  " + "  ".join(f"{column[name]:>10}" for column in columns.values()))


def measure_commit(root: Path, commit: str) -> dict[str, str]:
    """The figures of a commit of the repository at `root`."""
    command = ["git", "-C", root, "archive", commit]
    answer = subprocess.run(command, capture_output=True, check=False)
    if answer.returncode:
        raise SystemExit(f"{commit}: {answer.stderr.decode(errors='replace').strip()}. Give commits of {root}.")
    archive = answer.stdout
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(folder, filter="data")
        return measure(Path(folder))


def measure(root: Path) -> dict[str, str]:
    """The figures of the tree at `root`, as text."""
    package = root / "pix2pix"
    sources = {file: file.read_text(encoding="utf-8") for file in sorted(package.rglob("*.py"))}
    trees = {file: ast.parse(source) for file, source in sources.items()}
    functions = [node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    lengths = sorted(node.end_lineno - node.lineno + 1 for node in functions if node.end_lineno)
    files = {file: source.count("\n") for file, source in sources.items()}
    comments, code = count_comments(sources.values())
    below = {file: tree for file, tree in trees.items() if file.relative_to(package).parts[0] != "config"}
    look_ups = {file: len(set(find_look_ups(tree))) for file, tree in below.items()}
    return {
        "entries in pix2pix/": str(len([entry for entry in package.iterdir() if entry.name != "__pycache__"])),
        "packages with a circle": str(len(find_circles(package, trees))),
        "Python files": str(len(files)),
        "lines": str(sum(files.values())),
        f"files over {LONG_FILE} lines": str(sum(count > LONG_FILE for count in files.values())),
        "functions": str(len(functions)),
        "function lines, median": f"{statistics.median(lengths):g}",
        "function lines, nine in ten under": str(lengths[int(0.9 * len(lengths))]),
        f"functions over {LONG_FUNCTION} lines": str(sum(length > LONG_FUNCTION for length in lengths)),
        "lines with raw configuration look-ups": str(sum(look_ups.values())),
        "files with raw configuration look-ups": str(sum(count > 0 for count in look_ups.values())),
        "functions named by a participle": str(sum(is_participle(node.name) for node in functions)),
        "comments in 100 lines of code": f"{100 * comments / code:.1f}",
        f"runs of {WINDOW} equal lines": str(count_repeats(sources.values())),
        "lines in tests/": str(count_lines(root / "tests")),
        "lines in scripts/ and benchmarks/": str(count_lines(root / "scripts") + count_lines(root / "benchmarks")),
    }


def count_lines(folder: Path) -> int:
    """Lines of Python below a folder."""
    return sum(file.read_text(encoding="utf-8").count("\n") for file in folder.rglob("*.py"))


def count_comments(sources) -> tuple[int, int]:
    """Comments, and lines that hold code."""
    comments, code = 0, set()
    for number, source in enumerate(sources):
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                comments += not token.string.startswith(("# pyright", "# noqa", "# type"))
            elif token.type in {tokenize.NAME, tokenize.OP, tokenize.NUMBER}:
                code.add((number, token.start[0]))
    return comments, len(code)


def find_look_ups(tree: ast.AST) -> Iterator[int]:
    """The lines that read a configuration as a mapping: `config["data"]`, `data.get("size")`."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Subscript)
            and isinstance(node.slice, ast.Constant)
            and isinstance(node.slice.value, str)
        ):
            holder = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            holder = node.func.value
        else:
            continue
        while isinstance(holder, ast.Subscript):
            holder = holder.value
        name = holder.attr if isinstance(holder, ast.Attribute) else holder.id if isinstance(holder, ast.Name) else ""
        if name.strip("_") in CONFIGURATIONS:
            yield node.lineno


def is_participle(name: str) -> bool:
    """Whether a function is called by a bare participle (`drawn`, `mirrored`), which says neither action nor thing."""
    word = name.strip("_")
    return "_" not in word and word not in VERBS and (word in PARTICIPLES or bool(re.fullmatch(r"[a-z]+ed", word)))


def find_circles(package: Path, trees: dict[Path, ast.Module]) -> list[set[str]]:
    """Sets of packages (and of modules beside them) that import each other, directly or by way of others."""
    arrows: dict[str, set[str]] = {}
    for file, tree in trees.items():
        here = place_of(file.relative_to(package.parent).with_suffix("").parts)
        arrows.setdefault(here, set()).update(place for place in find_imports(tree) if place != here)
    reach = {place: find_reachable(place, arrows) for place in arrows}
    circles = {frozenset({other for other in reach[place] if place in reach.get(other, ())}) for place in arrows}
    return [set(circle) for circle in circles if len(circle) > 1]


def place_of(parts: tuple[str, ...]) -> str:
    """The top-level package or module of a dotted name of this project."""
    return parts[1] if len(parts) > 1 else "pix2pix"


def find_imports(tree: ast.Module) -> Iterator[str]:
    """The packages of this project that a module imports, anywhere but under `if TYPE_CHECKING`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "pix2pix":
            parts = tuple((node.module or "").split("."))
            yield from (
                (place_of((*parts, alias.name)) for alias in node.names) if len(parts) == 1 else [place_of(parts)]
            )
        elif isinstance(node, ast.Import):
            yield from (place_of(tuple(a.name.split("."))) for a in node.names if a.name.startswith("pix2pix."))


def find_reachable(start: str, arrows: dict[str, set[str]]) -> set[str]:
    """All places that `start` depends on."""
    reached, waiting = set(), [start]
    while waiting:
        new = arrows.get(waiting.pop(), set()) - reached
        reached |= new
        waiting += new
    return reached


def count_repeats(sources) -> int:
    """Places where so many lines of code in a row stand a second time, white space aside."""
    seen: Counter[tuple[str, ...]] = Counter()
    for source in sources:
        lines = [line.strip() for line in source.splitlines()]
        lines = [line for line in lines if len(line) > 3 and not line.startswith(("#", "import ", "from ", '"""'))]
        seen.update(tuple(lines[at : at + WINDOW]) for at in range(len(lines) - WINDOW + 1))
    return sum(count - 1 for count in seen.values() if count > 1)


if __name__ == "__main__":
    sys.exit(main())
