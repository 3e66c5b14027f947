"""Writes docs/api.md, the reference of the public names, from their docstrings.

python scripts/make_api_page.py
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pix2pix

PAGE = Path(__file__).parents[1] / "docs" / "api.md"

# In the order of the page; of a class, the methods that its users call.
NAMES: dict[str, tuple[str, ...]] = {
    "train": (),
    "evaluate": (),
    "compare": (),
    "load_translator": (),
    "Translator": ("__call__", "translate", "translate_batch"),
    "Run": ("config", "metrics", "provenance", "is_finished", "checkpoint"),
    "RunConfig": ("from_mapping", "to_mapping", "replace"),
    "Evaluation": ("describe",),
    "Comparison": ("table", "warnings"),
    "Pix2Pix": ("generate", "load_from_checkpoint"),
}
INTRODUCTION = """# Python reference

The public functions and classes of `pix2pix`. This page is made of their docstrings by
`python scripts/make_api_page.py`. What a network, a loss or a callback of your own looks like:
[Extending pix2pix](extending.md). A first session: [notebook](getting_started.ipynb).
"""


def render_page() -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *(part for name in NAMES for part in _render_name(name))])


def _render_name(name: str) -> Iterator[str]:
    member = getattr(pix2pix, name)
    yield f"## {name}\n"
    yield from _render_member(member, f"pix2pix.{name}")
    for method in NAMES[name]:
        yield from _render_member(getattr(member, method), f"{name}.{method}".removesuffix(".__call__"))


def _render_member(member: Any, name: str) -> Iterator[str]:
    yield f"```python\n{name}{_signature(member)}\n```\n"
    yield _render_docstring(inspect.getdoc(member) or "")


def _signature(member: Any) -> str:
    """The parameters as the source has them, one a line where they do not fit into one; empty where there are none."""
    function = inspect.unwrap(member.__dict__.get("__init__", dict) if inspect.isclass(member) else member)
    if not (inspect.isfunction(function) or inspect.ismethod(function)) or "<string>" in function.__code__.co_filename:
        return ""  # a dataclass or a model of settings, whose docstring has the attributes
    node = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(node, ast.FunctionDef)
    returns = f" -> {ast.unparse(node.returns)}" if node.returns and not inspect.isclass(member) else ""
    parameters = list(_parameters(node.args))
    line = f"({', '.join(parameters)}){returns}"
    return line if len(line) < 90 else "(\n    " + ",\n    ".join(parameters) + f",\n){returns}"


def _parameters(arguments: ast.arguments) -> Iterator[str]:
    plain = [argument for argument in arguments.args if argument.arg not in {"self", "cls"}]
    defaults = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    yield from map(_parameter, plain, defaults)
    if arguments.vararg:
        yield f"*{_parameter(arguments.vararg, None)}"
    elif arguments.kwonlyargs:
        yield "*"
    yield from map(_parameter, arguments.kwonlyargs, arguments.kw_defaults)
    if arguments.kwarg:
        yield f"**{_parameter(arguments.kwarg, None)}"


def _parameter(argument: ast.arg, default: ast.expr | None) -> str:
    annotation = f": {ast.unparse(argument.annotation)}" if argument.annotation else ""
    equals = " = " if annotation else "="
    return argument.arg + annotation + (f"{equals}{ast.unparse(default)}" if default else "")


def _render_docstring(text: str) -> str:
    """The docstring in Markdown: its sections `Args:` and so on become lists."""
    lines = []
    for line in text.splitlines():
        if section := re.fullmatch(r"(Args|Returns|Raises|Attributes):", line):
            lines += [f"**{section[1].replace('Args', 'Arguments')}**", ""]
        elif entry := re.fullmatch(r"    (\S[^:]*): (.*)", line):
            lines.append(f"- `{entry[1]}`: {entry[2]}")
        else:
            lines.append(re.sub(r"^    (?=\S)", "", re.sub(r"^        (?=\S)", "  ", line)))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(render_page(), encoding="utf-8")
    print(PAGE)
