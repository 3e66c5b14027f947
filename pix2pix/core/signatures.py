"""What the signature of a class or function says of its arguments and of its result."""

import inspect
import types
import typing
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any


def constructor_parameters(target: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """The parameters of a class or function by name; `**arguments` for a class without a signature."""
    try:
        return inspect.signature(target).parameters
    except (ValueError, TypeError):  # a class written in C
        return {"arguments": inspect.Parameter("arguments", inspect.Parameter.VAR_KEYWORD)}


def argument_annotation(target: Callable[..., Any], name: str) -> Any:
    """The annotation of an argument; Any if there is none."""
    try:
        function = target.__init__ if isinstance(target, type) else target
        return typing.get_type_hints(function, include_extras=True).get(name, Any)
    except (NameError, TypeError):
        return Any


def element_annotation(annotation: Any) -> Any:
    """What the annotation of a list or mapping says of the values in it; Any if nothing."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return element_annotation(arguments[0])
    if origin in {types.UnionType, typing.Union}:
        found = [element_annotation(each) for each in arguments if each is not types.NoneType]
        return found[0] if len(found) == 1 else Any
    if isinstance(origin, type) and issubclass(origin, Collection):
        return next((each for each in reversed(arguments) if each is not Ellipsis), Any)
    return Any


def returned_class(target: Callable[..., Any]) -> type | None:
    """The class of what a call returns: a class itself, or the annotation of a function; None without one."""
    if isinstance(target, type):
        return target
    returned = argument_annotation(target, "return")
    return returned if isinstance(returned, type) and returned is not Any else None
