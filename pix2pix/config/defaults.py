"""Compares configurations that different versions have written.

A setting that only one of them has is given its default in the other: the schema has it for settings, the signature of
the class for the arguments of a component. A setting that an upgrade adds has a default that keeps what was so before.
"""

import functools
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pix2pix.config.schema import RunConfig
from pix2pix.core.instantiate import TARGET, locate

UNKNOWN = object()


def fill_in_missing(one: RunConfig, other: RunConfig) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of both, each with the defaults of the arguments that only the other one has."""
    a, b = one.to_mapping(), other.to_mapping()
    return _fill_in(a, b), _fill_in(b, a)


def fill_in_defaults(config: RunConfig) -> dict[str, Any]:
    """The settings, with every default that a class of this package has: for comparing many runs at once."""
    return _add_defaults(config.to_mapping())


def _add_defaults(node: Mapping[str, Any]) -> dict[str, Any]:
    result = {name: _add_defaults(value) if isinstance(value, Mapping) else value for name, value in node.items()}
    target = node.get(TARGET)
    if not isinstance(target, str) or not target.startswith("pix2pix."):
        return result
    return {name: value for name, value in _read_defaults(target).items() if name not in result} | result


@functools.cache
def _read_defaults(target: str) -> dict[str, Any]:
    """The defaults in the signature of a class; none for a class that does not exist."""
    try:
        parameters = inspect.signature(locate(target)).parameters.values()
    except ValueError:  # a class that this version does not have
        return {}
    return {each.name: _make_plain(each.default) for each in parameters if each.default is not each.empty}


def _fill_in(node: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    # The keys of both trees; values that `node` has are kept, those of `other` only show which keys to look for.
    result = dict(node)
    for name, value in other.items():
        if name not in node:
            default = _find_default(node, other, name)
            result |= {} if default is UNKNOWN else {name: default}
        elif isinstance(value, Mapping) and isinstance(node[name], Mapping):
            result[name] = _fill_in(node[name], value)
    return result


def _find_default(node: Mapping[str, Any], other: Mapping[str, Any], name: str) -> Any:
    """The default of an argument, if both name the same class; else UNKNOWN."""
    target = node.get(TARGET)
    if not isinstance(target, str) or target != other.get(TARGET):
        return UNKNOWN
    return _read_defaults(target).get(name, UNKNOWN)


def _make_plain(value: Any) -> Any:
    """The value as config.yaml would hold it: Python has tuples and paths, too."""
    if isinstance(value, Mapping):
        return {key: _make_plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_make_plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value
