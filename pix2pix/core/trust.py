"""Decides which classes a configuration read from a file may build: those of pix2pix and of trusted modules.

A run, a checkpoint or a `.safetensors` file contains a configuration, and a configuration names classes to construct.
Constructing `subprocess.Popen` runs a command. On the command line the user wrote the names; a file may come from
anybody. So every configuration that was read from a file is checked here before anything that it names is imported.

A module is trusted when the user names it (`--trust MODULE`, `trust=["MODULE"]`), or has trained with a class of it
before (`core/trusted_modules.py`).
"""

import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pix2pix.core import instantiate
from pix2pix.core.errors import first_line
from pix2pix.core.instantiate import PARTIAL, TARGET, is_component
from pix2pix.core.signatures import argument_annotation, constructor_parameters, element_annotation, returned_class
from pix2pix.core.trusted_modules import OWN_PACKAGE, is_dotted_name, read_trusted_modules

PACKAGE = Path(__file__).parents[1]
MAX_VALUES, MAX_DEPTH = 100_000, 30  # of a configuration; those of pix2pix have about 300 values, at most 5 deep

Trust = Iterable[str]


class UntrustedError(ValueError):
    """A configuration that was read from a file names a class that is not trusted."""


def build_trusted(component: Any, key: str, kind: type, *, source: str | Path, trust: Trust = ()) -> Any:
    """Constructs a component of a configuration that was read from a file.

    Args:
        component: the component.
        key: its place in the configuration.
        kind: the class it must derive from.
        source: the file, for error messages.
        trust: modules whose classes may be built, in addition to pix2pix and the user's trusted modules.

    Raises:
        UntrustedError: for a class of another module, which is not imported.
        ValueError: for arguments that do not fit the class.
    """
    require_trusted(component, key, kind, source=source, trust=trust)
    try:
        return instantiate.build(component)
    except (TypeError, RuntimeError, ArithmeticError, MemoryError) as error:
        raise ValueError(
            f"{source}: its {key} cannot be built ({type(error).__name__}: {first_line(error)})."
        ) from error


def require_trusted(
    component: Any, key: str, kind: type, *, source: str | Path, trust: Trust = (), factories: bool = False
) -> None:
    """Raises UntrustedError where `build_trusted` would, and constructs nothing. `factories`: see `TrustCheck`."""
    check = TrustCheck(kind, {*_parse_modules(trust), *read_trusted_modules()}, factories=factories)
    if problems := check.find_problems(component, key):
        lines = [f"{source}: its configuration is not built:", *(f"  {problem}" for problem in problems)]
        raise UntrustedError("\n".join([*lines, *check.remedy()]))


def require_plain_settings(tree: Any, source: str | Path) -> None:
    """Raises ValueError for a configuration that is no mapping of plain values, or far larger than a real one."""
    if not isinstance(tree, dict):
        raise ValueError(f"{source}: its configuration is {_kind(tree)}, no mapping of settings. Copy the file again.")
    # A loop, not a recursion: a file may be nested deeper than Python's stack, or name one list a million times.
    waiting: list[tuple[Any, int]] = [(tree, 0)]
    count = 0
    while waiting:
        value, depth = waiting.pop()
        count += 1
        if depth > MAX_DEPTH or count > MAX_VALUES:
            raise ValueError(f"{source}: its configuration is larger than any of pix2pix. It is not read.")
        if isinstance(value, Mapping):
            waiting += [(each, depth + 1) for pair in value.items() for each in pair]
        elif isinstance(value, list | tuple):
            waiting += [(each, depth + 1) for each in value]
        elif not isinstance(value, str | int | float | None):
            raise ValueError(f"{source}: its configuration contains {_kind(value)}, no plain value. It is not read.")


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"


class TrustCheck:
    """Checks a component of a configuration that was read from a file: first its names, then its classes.

    Args:
        kind: the class that the component must derive from.
        trusted: modules whose classes may be built, in addition to pix2pix.
        factories: whether the component may be a factory, with `_partial_: true`.
    """

    def __init__(self, kind: type, trusted: Iterable[str], *, factories: bool = False) -> None:
        self.kind, self.trusted, self.factories = kind, set(trusted), factories
        self.refused_modules: set[str] = set()

    def find_problems(self, component: Any, key: str) -> list[str]:
        """Returns a sentence for each reason not to build the component. Imports only what is trusted by name."""
        # Names first: importing a module runs it, so nothing is imported before every name is trusted.
        return list(self._check_names(component, key)) or list(self._check_classes(component, key, self.kind))

    def remedy(self) -> list[str]:
        """The lines that tell the user how to trust the refused modules; none where there are none."""
        if not self.refused_modules:
            return []
        names = sorted(self.refused_modules)
        options = " ".join(f"--trust {name}" for name in names)
        return [
            f"A configuration from a file may build classes of {OWN_PACKAGE} only: any other could run a command. If "
            f"you know these modules and trust the sender of the file: {options}, from Python trust={names}."
        ]

    def _refuse_module(self, what: str, module: str) -> str:
        self.refused_modules.add(module)
        return f"{what}: not a class of {OWN_PACKAGE} or of a module that you trust."

    def _check_names(self, component: Any, key: str) -> Iterator[str]:
        """Refuses components in places where `instantiate.build` does not look for them."""
        if not is_component(component):
            yield f"{key}: must be a mapping with {TARGET}, the class to build."
            return
        yield from self._check_target(component[TARGET], f"{key}.{TARGET}")
        for name, value in component.items():
            if name == TARGET or (name == PARTIAL and self.factories):
                continue
            if not isinstance(name, str) or name.startswith("_"):
                yield f"{key}.{name}: not an argument; in a file only {TARGET} may begin with an underscore."
            else:
                yield from self._check_names_within(value, f"{key}.{name}")

    def _check_names_within(self, value: Any, key: str) -> Iterator[str]:
        if is_component(value):
            yield from self._check_names(value, key)
        else:
            for place, part in instantiate.list_parts(value):
                yield from self._check_names_within(part, f"{key}.{place}")

    def _check_target(self, path: Any, key: str) -> Iterator[str]:
        if not isinstance(path, str) or "." not in path or not is_dotted_name(path):
            yield f"{key}={instantiate.format_value(path)}: not a class. Give the full dotted path of a class."
        elif path.split(".")[0] == OWN_PACKAGE and not _is_own_module(path.rpartition(".")[0]):
            yield f"{key}={path}: not a class of {OWN_PACKAGE}, which has no module {path.rpartition('.')[0]}."
        elif not (_is_own_module(path.rpartition(".")[0]) or _is_covered(path, self.trusted)):
            yield self._refuse_module(f"{key}={path}", path.rpartition(".")[0])

    def _check_classes(self, component: Any, key: str, kind: Any) -> Iterator[str]:
        try:
            target = instantiate.locate_factory(component[TARGET])
        except ValueError as error:
            yield f"{key}.{TARGET}: {error}"
            return
        is_covered = _is_covered(f"{target.__module__}.{target.__qualname__}", self.trusted)
        made = returned_class(target)
        if not (_is_own_class(target) or is_covered):
            yield self._refuse_module(f"{key}.{TARGET}={component[TARGET]}, of {target.__module__}", target.__module__)
        elif made is None:
            yield (
                f"{key}.{TARGET}={component[TARGET]}: is a function that does not say what it returns; from a file it "
                f"is called only if its annotation does, as `-> {getattr(kind, '__name__', kind)}`."
            )
        elif not issubclass(made, kind):
            yield f"{key}.{TARGET}={component[TARGET]}: must be a {getattr(kind, '__qualname__', kind)}."
        else:
            for name, value in component.items():
                if name not in {TARGET, PARTIAL}:
                    yield from self._check_argument(value, f"{key}.{name}", target, name)

    def _check_argument(self, value: Any, key: str, target: Callable[..., Any], name: str) -> Iterator[str]:
        parameters = constructor_parameters(target)
        # The annotation of the argument decides: plain values are validated, components must be of the class it names.
        if name not in parameters and not any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
            yield instantiate.unknown_key_message(key, parameters)
            return
        annotation = argument_annotation(target, name) if name in parameters else Any
        yield from self._check_within(value, key, annotation, target)

    def _check_within(self, value: Any, key: str, annotation: Any, target: Callable[..., Any]) -> Iterator[str]:
        if not is_component(value) and instantiate.holds_component(value):
            for place, part in instantiate.list_parts(value):
                yield from self._check_within(part, f"{key}.{place}", element_annotation(annotation), target)
        elif not is_component(value):
            yield from instantiate.find_value_problems(value, key, annotation)
        elif (wanted := _component_classes(annotation)) is not None:
            yield from self._check_classes(value, key, wanted)
        elif _is_own_class(target):
            yield f"{key}: takes a plain value, not a component."
        else:  # a trusted class without annotations: any trusted class, or one of pix2pix of this kind
            yield from self._check_classes(
                value, key, object if _is_covered(value[TARGET], self.trusted) else self.kind
            )


def _is_own_module(module: str) -> bool:
    """Whether this names a file of pix2pix. A prefix is not enough: `pix2pix.core.trust.types` is another module."""
    package, *parts = module.split(".")
    place = PACKAGE.joinpath(*parts)
    exists = (place / "__init__.py").is_file() if place.is_dir() else place.with_suffix(".py").is_file()
    return package == OWN_PACKAGE and exists and not any(part.startswith("_") for part in parts)


def _is_own_class(target: Callable[..., Any]) -> bool:
    """Whether it is a class of pix2pix; no function of pix2pix is called for a file."""
    return isinstance(target, type) and target.__module__.split(".")[0] == OWN_PACKAGE


def _is_covered(path: str, trusted: Iterable[str]) -> bool:
    """Whether a module of the path is trusted: `mylab` covers `mylab.Net` and `mylab.x.Net`, not `mylab2.Net`."""
    return any(path.startswith(f"{module}.") for module in trusted)


def _component_classes(annotation: Any) -> Any:
    """The class or union of classes that an annotation names; None if it takes plain values."""
    if typing.get_origin(annotation) is Annotated:
        return _component_classes(typing.get_args(annotation)[0])
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        classes = [found for each in typing.get_args(annotation) if (found := _component_classes(each)) is not None]
        return typing.Union[tuple(classes)] if classes else None  # noqa: UP007 - from a list
    is_class = isinstance(annotation, type) and not typing.get_args(annotation)
    return annotation if is_class and annotation.__module__ not in {"builtins", "typing"} else None


def _parse_modules(trust: Trust) -> set[str]:
    """The modules that the user names. Raises ValueError for a text that is no dotted name."""
    names = [trust] if isinstance(trust, str) else list(trust)
    for name in names:
        if not isinstance(name, str) or not is_dotted_name(name):
            raise ValueError(
                f"--trust {name}: no module name. Give the dotted name that Python imports, such as mylab.nets."
            )
    return set(names)
