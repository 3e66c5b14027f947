"""Makes the typed configuration of a mapping, and words what is wrong with its settings."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pix2pix.config.schema import RunConfig
from pix2pix.core.instantiate import format_value, unknown_key_message

UNION_CHOICE = re.compile(r"^constrained-|^(literal|tuple|list|dict|union)\[")  # pydantic's names for them
GLOBAL_GROUPS = {"experiment", "recipe", "sweep", "debug"}  # their files change settings of any group
GLOBAL_GROUPS_RULE = "its file must begin with the line `# @package _global_`, so that it changes all settings."
A_LIST, A_GROUP = "Input should be a list, as [a,b]", "Input should be a group of settings, as {name: value}"
IN_WORDS = {"list_type": A_LIST, "tuple_type": A_LIST, "dict_type": A_GROUP, "model_type": A_GROUP}


def parse_config(settings: Mapping[str, Any]) -> RunConfig:
    """The typed configuration. Raises ValueError with every setting of a wrong type or value, one a line.

    Settings that the schema does not know are kept; `find_unknown_settings` tells them.
    """
    try:
        return RunConfig.from_mapping(settings)
    except ValidationError as error:
        raise ValueError("\n".join(_describe_all(error.errors()))) from error


def find_unknown_settings(part: BaseModel, prefix: str = "") -> Iterator[str]:
    """A sentence for each setting that the schema does not have, with the nearest one that it has."""
    # pydantic keeps settings that a model does not have in `model_extra`.
    for name in part.model_extra or {}:
        if not prefix and name in GLOBAL_GROUPS:
            yield f"{name}: {GLOBAL_GROUPS_RULE}"
            continue
        yield unknown_key_message(f"{prefix}{name}", type(part).model_fields)
    for name in type(part).model_fields:
        below = getattr(part, name)
        if isinstance(below, BaseModel):
            yield from find_unknown_settings(below, f"{prefix}{name}.")


def _describe_all(errors: Iterable[ErrorDetails]) -> Iterator[str]:
    """A sentence for each setting: the choices of a union, which pydantic reports one by one, are joined with 'or'."""
    by_setting: dict[str, list[ErrorDetails]] = {}
    for error in errors:
        key = ".".join(str(part) for part in error["loc"] if not UNION_CHOICE.match(str(part)))
        by_setting.setdefault(key, []).append(error)
    for key, [first, *others] in by_setting.items():
        rules = [_describe(key, first), *(_describe_rule(other) for other in others)]
        yield " or ".join(rule.removesuffix(".") for rule in rules) + "." if others else rules[0]


def _describe(key: str, error: ErrorDetails) -> str:
    if error["type"] == "extra_forbidden":
        return unknown_key_message(key, _known_settings(error["loc"][:-1]))
    if error["type"] == "missing":
        return f"{key}: is missing."
    if error["type"] == "value_error" and not isinstance(error["input"], str | int | float):
        message = error["msg"].removeprefix("Value error, ")  # of a validator of this package
        return message if key.partition(".")[0] in message else f"{key}: {message}"
    return f"{key}={format_value(error['input'])}: {_describe_rule(error)}."


def _describe_rule(error: ErrorDetails) -> str:
    """What is wrong with a value, in pydantic's words except where these are about JSON."""
    return IN_WORDS.get(error["type"], error["msg"].removeprefix("Value error, ").removesuffix("."))


def _known_settings(location: tuple[int | str, ...]) -> list[str]:
    # Down the nested models to the one that holds the unknown setting, for the names that it has.
    model: Any = RunConfig
    for name in location:
        model = model.model_fields[name].annotation
    return list(model.model_fields)
