"""Checks arguments of Python functions whose wrong values would do something else than was meant."""

from collections.abc import Sequence
from numbers import Integral
from os import PathLike
from typing import Any


def require_path(path: Any, name: str) -> None:
    """Raises ValueError for an empty text, which would mean the current directory, and for what is no path."""
    if not isinstance(path, str | PathLike):
        raise ValueError(f"{name}={path!r}: is no path. Give a text or a pathlib.Path.")
    if isinstance(path, str) and not path.strip():
        raise ValueError(f"{name}={path!r}: is empty. Give a path; '.' is the current directory.")


def require_at_least(least: int, **values: Any) -> None:
    """Raises ValueError for a value that is no whole number of at least `least`, unless it is None."""
    for name, value in values.items():
        if value is None:
            continue
        if not isinstance(value, Integral) or isinstance(value, bool) or int(value) < least:
            raise ValueError(f"{name}={value!r}: must be a whole number of at least {least}.")


def require_choice(value: Any, name: str, choices: Sequence[str]) -> None:
    """Raises ValueError for anything but one of the choices."""
    if value not in choices:
        raise ValueError(f"{name}={value!r}: must be {', '.join(choices[:-1])} or {choices[-1]}.")
