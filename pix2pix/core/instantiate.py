"""Builds and validates components: mappings with the name of a class (`_target_`) and its arguments.

The signature of the class is the schema of the mapping, with types and ranges (`Annotated[int, Field(ge=1)]`). So a new
network, loss or callback needs no registration. `hydra.utils.instantiate` would call any function that a file names.
"""

import difflib
import functools
import importlib
import inspect
import json
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError

from pix2pix.core.old_names import current_name

TARGET, PARTIAL = "_target_", "_partial_"


def is_component(value: Any) -> bool:
    """Whether a value is a mapping that names a class to construct."""
    return isinstance(value, Mapping) and TARGET in value


def _require_component(value: Any) -> Any:
    if not is_component(value):
        raise ValueError(f"must be a mapping with {TARGET}, the class to build")
    return value


Component = Annotated[dict[str, Any], BeforeValidator(_require_component)]


def build(component: Mapping[str, Any], **extra: Any) -> Any:
    """Constructs a component, nested components first. `extra` adds arguments that no file can hold.

    With `_partial_: true` the result is a factory that takes the remaining arguments.
    """
    settings = {key: value for key, value in component.items() if key not in {TARGET, PARTIAL}}
    arguments = {key: build(value) if is_component(value) else value for key, value in settings.items()} | extra
    target = locate(component[TARGET])
    return functools.partial(target, **arguments) if component.get(PARTIAL) else target(**arguments)


def locate(path: str) -> type:
    """Imports the class at a dotted path, old names included. Raises ValueError if there is none."""
    if not isinstance(path, str):
        raise ValueError(f"{path!r} is no class. Give the full dotted path of a class.")
    module, _, name = current_name(path).rpartition(".")
    try:
        target = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"cannot import {path!r} ({error}). Give the full dotted path of a class.") from error
    if not isinstance(target, type):
        raise ValueError(f"{path!r} is a {type(target).__name__}, not a class. Give the full dotted path of a class.")
    return target


def find_component_problems(component: Mapping[str, Any], key: str, kind: type | types.UnionType) -> Iterator[str]:
    """Yields a sentence for each problem of the component at `key`, which must derive from `kind`."""
    try:
        target = locate(component[TARGET])
    except ValueError as error:
        yield f"{key}.{TARGET}: {error}"
        return
    # Arguments of a class of the wrong kind would only confuse: one sentence is enough.
    if not issubclass(target, kind):
        yield f"{key}.{TARGET}={component[TARGET]}: must be a {getattr(kind, '__qualname__', kind)}."
        return
    yield from find_argument_problems(component, key, target)


def find_argument_problems(component: Mapping[str, Any], key: str, target: type) -> Iterator[str]:
    """Yields a sentence for each problem of a mapping as the arguments of a class."""
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
        if is_component(value):
            kind: Any = annotation if _names_classes(annotation) else object
            yield from find_component_problems(value, f"{key}.{name}", kind)
        else:
            yield from find_value_problems(value, f"{key}.{name}", annotation)


def _names_classes(annotation: Any) -> bool:
    return isinstance(annotation, type | types.UnionType) and annotation is not Any  # from Python 3.11 on a class


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


def constructor_parameters(target: type) -> Mapping[str, inspect.Parameter]:
    """The parameters of a class by name; `**arguments` for a class without a signature."""
    try:
        return inspect.signature(target).parameters
    except (ValueError, TypeError):  # a class written in C
        return {"arguments": inspect.Parameter("arguments", inspect.Parameter.VAR_KEYWORD)}


def argument_annotation(target: type, name: str) -> Any:
    """The annotation of an argument; Any if there is none."""
    try:
        return typing.get_type_hints(target.__init__, include_extras=True).get(name, Any)
    except (NameError, TypeError):
        return Any


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
    return " or ".join(dict.fromkeys(part["msg"].lower().removeprefix("value error, ") for part in error.errors()))


def format_value(value: Any) -> str:
    """A configured value as it is written on the command line."""
    return value if isinstance(value, str) else json.dumps(value)
