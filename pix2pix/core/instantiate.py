"""Builds and validates components: mappings with the name of a class (`_target_`) and its arguments.

The signature of the class is the schema of the mapping. A new network, loss or callback therefore needs no entry
anywhere: its annotations say what may be configured, in what types and ranges (`Annotated[int, Field(ge=1)]`).
"""

import difflib
import functools
import importlib
import inspect
import json
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError

from pix2pix.core.old_names import current_name

TARGET, PARTIAL = "_target_", "_partial_"


class Settings(BaseModel):
    """A part of the configuration that is no component: typed, frozen, without conversions between types.

    Unknown settings are kept, so that runs of later versions can be read; `pix2pix.config.check` refuses them.
    """

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    def changed(self, **settings: Any) -> Self:
        """The same with other values of some settings, which are not checked again."""
        return self.model_copy(update=settings)


def is_component(value: Any) -> bool:
    """True for a mapping that names a class to construct."""
    return isinstance(value, Mapping) and TARGET in value


def _component(value: Any) -> Any:
    if not is_component(value):
        raise ValueError(f"must be a mapping with {TARGET}, the class to build")
    return value


Part = Annotated[dict[str, Any], BeforeValidator(_component)]


def build(node: Mapping[str, Any], **given: Any) -> Any:
    """Constructs what `node` describes, nested components first; `given` adds arguments that no file can hold.

    With `_partial_: true` the result is a factory that still waits for the rest of its arguments.
    """
    settings = {key: value for key, value in node.items() if key not in {TARGET, PARTIAL}}
    arguments = {key: build(value) if is_component(value) else value for key, value in settings.items()} | given
    target = locate(node[TARGET])
    return functools.partial(target, **arguments) if node.get(PARTIAL) else target(**arguments)


def locate(path: str) -> type:
    """The class at the dotted import path. Raises ValueError where there is none."""
    if not isinstance(path, str):
        raise ValueError(f"{path!r} is no class. Give the full dotted path of a class.")
    module, _, name = current_name(path).rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"cannot import {path!r} ({error}). Give the full dotted path of a class.") from error
    if not isinstance(found, type):
        raise ValueError(f"{path!r} is a {type(found).__name__}, not a class. Give the full dotted path of a class.")
    return found


def validate_component(node: Mapping[str, Any], key: str, kind: type | types.UnionType) -> Iterator[str]:
    """What is wrong with the component at `key`, one sentence each; `kind` is the class it must derive from."""
    try:
        target = locate(node[TARGET])
    except ValueError as error:
        yield f"{key}.{TARGET}: {error}"
        return
    if not issubclass(target, kind):
        yield f"{key}.{TARGET}={node[TARGET]}: must be a {getattr(kind, '__qualname__', kind)}."
        return
    yield from validate_arguments(node, key, target)


def validate_arguments(node: Mapping[str, Any], key: str, target: type) -> Iterator[str]:
    """What is wrong with a mapping as the arguments of a class, one sentence each."""
    parameters = constructor_parameters(target)
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for name, value in node.items():
        if name in {TARGET, PARTIAL}:
            continue
        if name not in parameters and not takes_any:
            yield unknown_key_message(f"{key}.{name}", parameters)
            continue
        annotation = argument_annotation(target, name) if name in parameters else Any
        if is_component(value):
            kind: Any = annotation if _is_of_classes(annotation) else object
            yield from validate_component(value, f"{key}.{name}", kind)
        else:
            yield from validate_value(value, f"{key}.{name}", annotation)


def _is_of_classes(annotation: Any) -> bool:
    return isinstance(annotation, type | types.UnionType) and annotation is not Any  # from Python 3.11 on a class


def validate_value(value: Any, key: str, annotation: Any) -> Iterator[str]:
    """What is wrong with a plain value for an argument of this annotation, one sentence each."""
    try:
        adapter = TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
    except (PydanticSchemaGenerationError, PydanticUserError, TypeError):  # a foreign class's annotation: let it judge
        return
    try:
        # JSON rules, strictly: a list may stand for a tuple, but no string for a number and no number for a switch.
        adapter.validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        yield f"{key}={format_value(value)}: {format_validation_error(error)}."


def constructor_parameters(target: type) -> Mapping[str, inspect.Parameter]:
    """The arguments of a class by name; any, where it does not tell."""
    try:
        return inspect.signature(target).parameters
    except (ValueError, TypeError):  # a class written in C
        return {"arguments": inspect.Parameter("arguments", inspect.Parameter.VAR_KEYWORD)}


def argument_annotation(target: type, name: str) -> Any:
    """The annotation of an argument; Any where there is none."""
    try:
        return typing.get_type_hints(target.__init__, include_extras=True).get(name, Any)
    except (NameError, TypeError):
        return Any


def unknown_key_message(key: str, known: Iterable[str]) -> str:
    """The sentence for a key that does not exist, with the nearest one that does."""
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
