"""Makes the typed configuration of a mapping, and words what is wrong with its settings."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pix2pix.config.schema import RunConfig
from pix2pix.core.instantiate import format_value, unknown_key_message


def parse_config(settings: Mapping[str, Any]) -> RunConfig:
    """The typed configuration. Raises ValueError with every setting of a wrong type or value, one a line.

    Settings that the schema does not know are kept; `find_unknown_settings` tells them.
    """
    try:
        return RunConfig.from_mapping(settings)
    except ValidationError as error:
        raise ValueError("\n".join(_describe(part) for part in error.errors())) from error


def find_unknown_settings(part: BaseModel, prefix: str = "") -> Iterator[str]:
    """A sentence for each setting that the schema does not have, with the nearest one that it has."""
    # pydantic keeps settings that a model does not have in `model_extra`.
    for name in part.model_extra or {}:
        yield unknown_key_message(f"{prefix}{name}", type(part).model_fields)
    for name in type(part).model_fields:
        below = getattr(part, name)
        if isinstance(below, BaseModel):
            yield from find_unknown_settings(below, f"{prefix}{name}.")


def _describe(error: ErrorDetails) -> str:
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        return unknown_key_message(key, _known_settings(error["loc"][:-1]))
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "missing":
        return f"{key}: is missing."
    if error["type"] == "value_error" and not isinstance(error["input"], str | int | float):
        return message  # from a validator of this package, which names the setting itself
    return f"{key}={format_value(error['input'])}: {message.removesuffix('.')}."


def _known_settings(location: tuple[int | str, ...]) -> list[str]:
    # Down the nested models to the one that holds the unknown setting, for the names that it has.
    model: Any = RunConfig
    for name in location:
        model = model.model_fields[name].annotation
    return list(model.model_fields)
