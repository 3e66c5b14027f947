"""Default values of settings that are missing in the configurations of older runs.

The schema and the signatures of the classes tell. A setting that an upgrade adds has a default there, which keeps what
was so before.
"""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from pix2pix.config.identity import Config
from pix2pix.config.schema import RunConfig
from pix2pix.core.instantiate import TARGET, is_component, locate

Model = type[BaseModel] | None
UNKNOWN = object()


def completed(config: Config) -> Config:
    """The configuration in plain values, with the schema's default for each setting that it does not have."""
    return _completed(_plain(config), RunConfig)


def alike(one: Config, other: Config) -> tuple[Config, Config]:
    """Both, each with the defaults of the settings that only the other one has."""
    return _filled(one, other, RunConfig), _filled(other, one, RunConfig)


def _completed(node: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    result = dict(node)
    for name in model.model_fields:
        below = _model_below(model, name)
        if name not in node:
            result |= {} if (default := _of_field(model, name)) is UNKNOWN else {name: default}
        elif below and isinstance(node[name], Mapping):
            result[name] = _completed(node[name], below)
    return result


def _filled(node: Mapping[str, Any], other: Mapping[str, Any], model: Model) -> dict[str, Any]:
    result = dict(node)
    for name, value in other.items():
        if name not in node:
            default = _of_field(model, name) if model else _of_argument(node, other, name)
            result |= {} if default is UNKNOWN else {name: default}
        elif isinstance(value, Mapping) and isinstance(node[name], Mapping):
            result[name] = _filled(node[name], value, _model_below(model, name))
    return result


def _of_field(model: type[BaseModel], name: str) -> Any:
    field = model.model_fields.get(name)
    if field is None or field.is_required():
        return UNKNOWN
    default = field.get_default(call_default_factory=True)
    return default.model_dump(mode="json") if isinstance(default, BaseModel) else _plain(default)


def _of_argument(node: Mapping[str, Any], other: Mapping[str, Any], name: str) -> Any:
    """The default in the signature of the class that both name; no other class is looked at."""
    if not is_component(node) or node[TARGET] != other.get(TARGET):
        return UNKNOWN
    try:
        parameter = inspect.signature(locate(node[TARGET])).parameters[name]
    except (ValueError, KeyError):
        return UNKNOWN
    return UNKNOWN if parameter.default is parameter.empty else _plain(parameter.default)


def _model_below(model: Model, name: str) -> Model:
    field = model.model_fields.get(name) if model else None
    kind = field.annotation if field else None
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _plain(value: Any) -> Any:
    """The value as config.yaml would hold it: Python has tuples and paths, too."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value
