"""Builds and validates components: mappings with the name of a class (`_target_`) and its arguments.

The signature of the class is the schema of the mapping, with types and ranges (`Annotated[int, Field(ge=1)]`). So a new
network, loss or callback needs no registration. On one's own command line a function may stand for a class. What a file
may name is judged by `core/trust.py`; `hydra.utils.instantiate` would call any function.
"""

import difflib
import functools
import importlib
import inspect
import json
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError

from pix2pix.core.old_names import current_name
from pix2pix.core.signatures import argument_annotation, constructor_parameters, element_annotation, returned_class

TARGET, PARTIAL = "_target_", "_partial_"


def is_component(value: Any) -> bool:
    """Whether a value is a mapping that names a class to construct."""
    return isinstance(value, Mapping) and TARGET in value


def _require_component(value: Any) -> Any:
    if not is_component(value):
        raise ValueError(f"must be a mapping with {TARGET}, the class to build")
    if not isinstance(value[TARGET], str):
        raise ValueError(f"{TARGET}={value[TARGET]} is no class. Give the full dotted path of a class.")
    return value


Component = Annotated[dict[str, Any], BeforeValidator(_require_component)]


def build(component: Mapping[str, Any], **extra: Any) -> Any:
    """Constructs a component, nested components first. `extra` adds arguments that no file can hold.

    With `_partial_: true` the result is a factory that takes the remaining arguments.
    """
    settings = {key: value for key, value in component.items() if key not in {TARGET, PARTIAL}}
    arguments = {key: _build_within(value) for key, value in settings.items()} | extra
    target = locate_factory(component[TARGET])
    return functools.partial(target, **arguments) if component.get(PARTIAL) else target(**arguments)


def read_argument(component: Mapping[str, Any], name: str) -> Any:
    """What a component sets for an argument, or else the default of its class; None where there is neither."""
    if name in component:
        return component[name]
    parameter = constructor_parameters(locate_factory(component[TARGET])).get(name)
    return None if parameter is None or parameter.default is parameter.empty else parameter.default


def _build_within(value: Any) -> Any:
    """A value with all components in it built, also those in lists and mappings."""
    if is_component(value):
        return build(value)
    if not holds_component(value):
        return value
    if isinstance(value, Mapping):
        return {name: _build_within(each) for name, each in value.items()}
    return [_build_within(each) for each in value]


def holds_component(value: Any) -> bool:
    """Whether a value is a component, or a list or mapping with one in it."""
    return is_component(value) or any(holds_component(each) for _, each in list_parts(value))


def list_parts(value: Any) -> list[tuple[Any, Any]]:
    """What is in a list or mapping, with its place; nothing for other values."""
    if isinstance(value, Mapping):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list | tuple) else []


def locate(path: str) -> type:
    """Imports the class at a dotted path, old names included. Raises ValueError if there is none."""
    target = locate_factory(path)
    if not isinstance(target, type):
        raise ValueError(f"{path!r} is a {type(target).__name__}, not a class. Give the full dotted path of a class.")
    return target


def is_component_of(component: Mapping[str, Any], kind: type) -> bool:
    """Whether a component names a class that derives from `kind`; False for a function, whose result is not known."""
    target = locate_factory(component[TARGET])
    return isinstance(target, type) and issubclass(target, kind)


def locate_factory(path: str) -> Callable[..., Any]:
    """Imports the class or the Python function at a dotted path. Raises ValueError if there is none."""
    if not isinstance(path, str):
        raise ValueError(f"{path!r} is no class. Give the full dotted path of a class.")
    module, _, name = current_name(path).rpartition(".")
    if not module:
        raise ValueError(f"{path!r} names no module. Give the full dotted path of a class, as mylab.networks.Net.")
    try:
        target = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError, SyntaxError) as error:
        raise ValueError(f"cannot import {path!r} ({error}). Give the full dotted path of a class.") from error
    if not isinstance(target, type | types.FunctionType):
        raise ValueError(f"{path!r} is a {type(target).__name__}, not a class. Give the full dotted path of a class.")
    return target


def find_component_problems(
    component: Mapping[str, Any], key: str, kind: type | types.UnionType, *, is_complete: bool = True
) -> Iterator[str]:
    """Yields a sentence for each problem of the component at `key`, which must derive from `kind`.

    `is_complete`: whether the component has all arguments that its class needs, so that `build` is given no others.
    """
    try:
        target = locate_factory(component[TARGET])
    except ValueError as error:
        yield f"{key}.{TARGET}: {error}"
        return
    # Arguments of a class of the wrong kind would only confuse: one sentence is enough.
    made = returned_class(target)
    if made is None:
        yield (
            f"{key}.{TARGET}={component[TARGET]}: is a function that does not say what it returns, so evaluate and "
            f"translate would not call it. Annotate it, as `-> {getattr(kind, '__name__', kind)}`."
        )
        return
    if not issubclass(made, kind):
        yield f"{key}.{TARGET}={component[TARGET]}: must be a {getattr(kind, '__qualname__', kind)}."
        return
    if inspect.isabstract(target):
        lacking = ", ".join(sorted(getattr(target, "__abstractmethods__", ())))
        yield f"{key}.{TARGET}={component[TARGET]}: does not define {lacking}. Write this in the class."
        return
    yield from list(find_argument_problems(component, key, target)) or (
        _find_missing_arguments(component, key, target) if is_complete and not component.get(PARTIAL) else ()
    )


def _find_missing_arguments(component: Mapping[str, Any], key: str, target: Callable[..., Any]) -> Iterator[str]:
    for name, parameter in constructor_parameters(target).items():
        is_variable = parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
        if name not in component and parameter.default is parameter.empty and not is_variable:
            yield f"{key}.{name}: is not set, and {component[TARGET]} has no default for it. Set it."


def find_argument_problems(component: Mapping[str, Any], key: str, target: Callable[..., Any]) -> Iterator[str]:
    """Yields a sentence for each problem of a mapping as the arguments of a class or function."""
    parameters = constructor_parameters(target)
    # `**settings` takes any name, as in a subclass that passes them on to its base.
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for name, value in component.items():
        if name in {TARGET, PARTIAL}:
            continue
        if name not in parameters and not takes_any:
            yield unknown_key_message(f"{key}.{name}", parameters)
            continue
        annotation = argument_annotation(target, name) if name in parameters else Any
        yield from _find_problems_within(value, f"{key}.{name}", annotation)


def _find_problems_within(value: Any, key: str, annotation: Any) -> Iterator[str]:
    if is_component(value):
        # Any is a class from Python 3.11 on.
        is_class = isinstance(annotation, type | types.UnionType) and annotation is not Any
        kind: Any = annotation if is_class else object
        yield from find_component_problems(value, key, kind)
    elif holds_component(value):
        for place, part in list_parts(value):
            yield from _find_problems_within(part, f"{key}.{place}", element_annotation(annotation))
    else:
        yield from find_value_problems(value, key, annotation)


def find_value_problems(value: Any, key: str, annotation: Any) -> Iterator[str]:
    """Yields a sentence if a plain value does not fit the annotation of its argument."""
    try:
        adapter = TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
    except (PydanticSchemaGenerationError, PydanticUserError, TypeError):  # the class itself will check it
        return
    try:
        # Strict JSON rules: a list passes for a tuple, but a string not for a number, and a number not for a bool.
        adapter.validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        yield f"{key}={format_value(value)}: {format_validation_error(error)}."


def unknown_key_message(key: str, known: Iterable[str]) -> str:
    """The message for an unknown key, with the nearest known one."""
    name, choices = key.rpartition(".")[2], [choice for choice in known if choice not in {"self", TARGET}]
    if not choices:
        return f"{key}: there is no setting {name!r} here; it takes none."
    near = difflib.get_close_matches(name, choices, n=1)
    remedy = f"did you mean {near[0]}?" if near else f"choose from {', '.join(sorted(choices))}."
    return f"{key}: there is no setting {name!r} here; {remedy}"


def format_validation_error(error: ValidationError) -> str:
    """The distinct messages of a validation error in one line, the choices of a union joined with 'or'."""
    found = (
        # pydantic's words for a plain value where an object is wanted are about JSON
        f"input should be a mapping with {TARGET}"
        if part["type"] == "needs_python_object"
        else part["msg"].lower().removeprefix("value error, ")
        for part in error.errors()
    )
    return " or ".join(dict.fromkeys(found))


def format_value(value: Any) -> str:
    """A configured value as it is written on the command line."""
    return value if isinstance(value, str) else json.dumps(value)
