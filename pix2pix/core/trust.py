"""Decides which classes a configuration read from a file may build: those of pix2pix and of trusted modules.

A run, a checkpoint or a `.safetensors` file carries a configuration, and a configuration names classes to construct. On
the command line they are the user's own words. In a file they are somebody else's, and constructing `subprocess.Popen`
runs a command. So every configuration that was read from a file passes here before anything in it is imported.

A module is trusted when the user names it (`--trust MODULE`, `trust=["MODULE"]`), or has trained with a class of it
before: a training notes the modules of its classes, as ssh notes the hosts it was connected to.
"""

import contextlib
import logging
import os
import sys
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import click
from filelock import FileLock

from pix2pix.core import instantiate
from pix2pix.core.atomic_files import write_text_atomic
from pix2pix.core.instantiate import PARTIAL, TARGET, is_component

log = logging.getLogger(__name__)

PACKAGE = Path(__file__).parents[1]
OURS = PACKAGE.name
PLACE = "PIX2PIX_TRUSTED_MODULES"  # the environment variable that puts the file of trusted modules elsewhere
MOST_VALUES, DEEPEST = 100_000, 30  # of a configuration; ours have some 300, at most 5 deep
HEADER = "# Modules whose classes pix2pix may build when a run or a checkpoint names them. A line each.\n"

USUAL = ("torch.optim.", "pytorch_lightning.Trainer")  # classes of others that our own configurations name

Trust = Iterable[str]


class UntrustedError(ValueError):
    """A configuration that was read from a file asks for what such a file may not have."""


def build(node: Any, key: str, kind: type, *, source: str | Path, trust: Trust = ()) -> Any:
    """Constructs a component of a configuration that was read from a file.

    Args:
        node: the component.
        key: where it stands in the configuration.
        kind: the class it must derive from.
        source: the file, for what is said of it.
        trust: modules, beside those of pix2pix and those noted, whose classes may be built.

    Raises:
        UntrustedError: for a class of another module; nothing is imported then.
        ValueError: for arguments that do not fit the class.
    """
    require_trusted(node, key, kind, source=source, trust=trust)
    try:
        return instantiate.build(node)
    except (TypeError, RuntimeError, ArithmeticError, MemoryError) as error:
        raise ValueError(f"{source}: its {key} cannot be built ({type(error).__name__}: {error}).") from error


def require_trusted(node: Any, key: str, kind: type, *, source: str | Path, trust: Trust = ()) -> None:
    """Raises what `build` raises; constructs nothing."""
    judge = TrustCheck(kind, {*_parse_modules(trust), *read_trusted_modules()})
    if found := judge.find_problems(node, key):
        lines = [f"{source}: its configuration is not built:", *(f"  {text}" for text in found)]
        raise UntrustedError("\n".join([*lines, *judge.remedy()]))


def require_plain(tree: Any, source: str | Path) -> None:
    """Raises ValueError for a configuration that is no mapping of plain values, or larger than any of ours."""
    if not isinstance(tree, dict):
        raise ValueError(f"{source}: holds no configuration, a mapping of settings, but {_kind(tree)}. Copy it again.")
    waiting: list[tuple[Any, int]] = [(tree, 0)]
    count = 0
    while waiting:
        value, depth = waiting.pop()
        count += 1
        if depth > DEEPEST or count > MOST_VALUES:
            raise ValueError(f"{source}: its configuration is larger than any of pix2pix. It is not read.")
        if isinstance(value, Mapping):
            waiting += [(each, depth + 1) for pair in value.items() for each in pair]
        elif isinstance(value, list | tuple):
            waiting += [(each, depth + 1) for each in value]
        elif not isinstance(value, str | int | float | None):
            raise ValueError(f"{source}: its configuration holds {_kind(value)}, no plain value. It is not read.")


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"


class TrustCheck:
    """Judges a component of a configuration that was read from a file: by its names first, then by its classes.

    Args:
        kind: the class that it must derive from.
        trusted: modules, beside those of pix2pix, whose classes may be built.
        factories: whether it may be a factory, with `_partial_: true`.
    """

    def __init__(self, kind: type, trusted: Iterable[str], *, factories: bool = False) -> None:
        self.kind, self.trusted, self.factories = kind, set(trusted), factories
        self.strangers: set[str] = set()  # the modules that it refused

    def find_problems(self, node: Any, key: str) -> list[str]:
        """What forbids to build it, a sentence each; nothing is imported whose name is not allowed."""
        return list(self._of_names(node, key)) or list(self._of_classes(node, key, self.kind))

    def remedy(self) -> list[str]:
        """What to say after the problems, where there were modules that may be trusted."""
        if not self.strangers:
            return []
        options, names = " ".join(f"--trust {name}" for name in sorted(self.strangers)), sorted(self.strangers)
        return [
            f"What was read from a file builds classes of {OURS} only: any other could run a command. Where you know "
            f"these modules and whom the file is from, allow them: {options}, from Python trust={names}."
        ]

    def _refusal(self, what: str, module: str) -> str:
        self.strangers.add(module)
        return f"{what}: no class of {OURS}, nor of a module that you trust."

    def _of_names(self, node: Any, key: str) -> Iterator[str]:
        """Components may stand only where `components.build` looks for them."""
        if not is_component(node):
            yield f"{key}: must be a mapping with {TARGET}, the class to build."
            return
        yield from self._of_target(node[TARGET], f"{key}.{TARGET}")
        for name, value in node.items():
            if name == TARGET or (name == PARTIAL and self.factories):
                continue
            if not isinstance(name, str) or name.startswith("_"):
                yield f"{key}.{name}: no argument; in a file only {TARGET} may begin with an underscore."
            elif is_component(value):
                yield from self._of_names(value, f"{key}.{name}")
            elif _hides_a_component(value):
                yield f"{key}.{name}: holds {TARGET} within plain values, where no component is built."

    def _of_target(self, path: Any, key: str) -> Iterator[str]:
        if not isinstance(path, str) or "." not in path or not _is_dotted(path):
            yield f"{key}={instantiate.format_value(path)}: no class. A class is named by its full dotted path."
        elif path.split(".")[0] == OURS and not _is_own_module(path.rpartition(".")[0]):
            yield f"{key}={path}: no class of {OURS}, which has no module {path.rpartition('.')[0]}."
        elif not (_is_own_module(path.rpartition(".")[0]) or _is_covered(path, self.trusted)):
            yield self._refusal(f"{key}={path}", path.rpartition(".")[0])

    def _of_classes(self, node: Any, key: str, kind: Any) -> Iterator[str]:
        try:
            target = instantiate.locate(node[TARGET])
        except ValueError as error:
            yield f"{key}.{TARGET}: {error}"
            return
        if not (_is_own_class(target) or _is_covered(f"{target.__module__}.{target.__qualname__}", self.trusted)):
            yield self._refusal(f"{key}.{TARGET}={node[TARGET]}, of {target.__module__}", target.__module__)
        elif not issubclass(target, kind):
            yield f"{key}.{TARGET}={node[TARGET]}: must be a {getattr(kind, '__qualname__', kind)}."
        else:
            for name, value in node.items():
                if name not in {TARGET, PARTIAL}:
                    yield from self._of_argument(value, f"{key}.{name}", target, name)

    def _of_argument(self, value: Any, key: str, target: type, name: str) -> Iterator[str]:
        parameters = instantiate.constructor_parameters(target)
        if name not in parameters and not any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
            yield instantiate.unknown_key_message(key, parameters)
            return
        annotation = instantiate.argument_annotation(target, name) if name in parameters else Any
        if not is_component(value):
            yield from instantiate.validate_value(value, key, annotation)
        elif (wanted := _component_classes(annotation)) is not None:
            yield from self._of_classes(value, key, wanted)
        elif _is_own_class(target):
            yield f"{key}: takes a plain value, no component."
        else:  # a trusted class that does not say what it takes: another trusted one, or one of ours of this kind
            yield from self._of_classes(value, key, object if _is_covered(value[TARGET], self.trusted) else self.kind)


def _is_own_module(module: str) -> bool:
    """Whether a module of this name is a file of pix2pix; its name alone would also name what it imports."""
    package, *parts = module.split(".")
    place = PACKAGE.joinpath(*parts)
    there = (place / "__init__.py").is_file() if place.is_dir() else place.with_suffix(".py").is_file()
    return package == OURS and there and not any(part.startswith("_") for part in parts)


def _is_own_class(target: type) -> bool:
    return target.__module__.split(".")[0] == OURS


def _is_covered(path: str, trusted: Iterable[str]) -> bool:
    """Whether a module of the path is trusted: `mylab` covers `mylab.Net` and `mylab.x.Net`, not `mylab2.Net`."""
    return any(path.startswith(f"{module}.") for module in trusted)


def _hides_a_component(value: Any) -> bool:
    if isinstance(value, Mapping):
        return TARGET in value or any(map(_hides_a_component, value.values()))
    return isinstance(value, list | tuple) and any(map(_hides_a_component, value))


def _component_classes(annotation: Any) -> Any:
    """The class or union of classes that an annotation names; None where it takes plain values."""
    if typing.get_origin(annotation) is Annotated:
        return _component_classes(typing.get_args(annotation)[0])
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        classes = [found for each in typing.get_args(annotation) if (found := _component_classes(each)) is not None]
        return typing.Union[tuple(classes)] if classes else None  # noqa: UP007 - made of a list
    is_class = isinstance(annotation, type) and not typing.get_args(annotation)
    return annotation if is_class and annotation.__module__ not in {"builtins", "typing"} else None


def foreign_modules(tree: Any) -> set[str]:
    """The modules, beside ours, of all classes that a configuration names: where they are found, and where they lie."""
    if isinstance(tree, list | tuple):
        return set().union(*map(foreign_modules, tree))
    if not isinstance(tree, Mapping):
        return set()
    found = set().union(*map(foreign_modules, tree.values()))
    path = tree.get(TARGET)
    if isinstance(path, str) and path.split(".")[0] != OURS and not path.startswith(USUAL):
        with contextlib.suppress(ValueError):  # within plain values it need not be a class
            found |= {instantiate.locate(path).__module__, path.rpartition(".")[0]}
    return {module for module in found if module.split(".")[0] not in {*sys.stdlib_module_names, OURS}}


def remember_modules(tree: Any) -> None:
    """Notes the modules of one's own configuration as trusted by this user; a file that cannot be written is said."""
    file, modules = trusted_modules_file(), foreign_modules(tree)
    if modules <= read_trusted_modules():
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_name(f".{file.name}.lock")):
            write_text_atomic(
                file, HEADER + "".join(f"{module}\n" for module in sorted(modules | read_trusted_modules()))
            )
    except OSError as error:
        log.warning(
            "%s: cannot be written (%s). To use this run later, say --trust %s.", file, error, " --trust ".join(modules)
        )


def read_trusted_modules() -> set[str]:
    """The modules that this user's trainings noted."""
    try:
        lines = trusted_modules_file().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return set()
    return {line for line in map(str.strip, lines) if _is_dotted(line)}


def trusted_modules_file() -> Path:
    """Where they are noted: in the user's own folder of settings, unless PIX2PIX_TRUSTED_MODULES names a file."""
    elsewhere = os.environ.get(PLACE)
    return Path(elsewhere) if elsewhere else Path(click.get_app_dir("pix2pix")) / "trusted_modules"


def _parse_modules(trust: Trust) -> set[str]:
    """The modules that the user trusts by name. Raises ValueError for what is no name of a module."""
    names = [trust] if isinstance(trust, str) else list(trust)
    for name in names:
        if not isinstance(name, str) or not _is_dotted(name):
            raise ValueError(
                f"--trust {name}: no module. Give the dotted name that Python imports, such as mylab.nets."
            )
    return set(names)


def _is_dotted(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))
