"""Says in plain words what is wrong with the value of an option, where click speaks of types and ranges."""

import re
from collections.abc import Iterable
from pathlib import Path

import click

NUMBER = re.compile(r"(.+) is not a valid (integer|float)(?: range)?\.")
RANGE = re.compile(r"(.+) is not in the range (?:(\S+?)(<=?))?x(?:(<=?|>=?)(\S+?))?\.")
WORDS = {"<=": "at most", "<": "less than", ">=": "at least", ">": "more than"}
MIRRORED = {"<=": ">=", "<": ">"}  # of a limit that stands before x


def rephrase(error: click.BadParameter) -> click.BadParameter:
    """The same error, with a sentence of this package's in the place of click's about a number."""
    message = _rephrase(error.message)
    return error if message == error.message else click.BadParameter(message, error.ctx, error.param, error.param_hint)


def explain_dash(error: click.NoSuchOption, words: Iterable[str]) -> click.UsageError:
    """The same error, or how to write the name of a file or folder that begins with a dash."""
    file = next((word for word in words if word.startswith(error.option_name) and Path(word).exists()), None)
    return click.UsageError(f"{file}: begins with a dash, as options do. Write ./{file}", error.ctx) if file else error


def _rephrase(message: str) -> str:
    if found := NUMBER.fullmatch(message):
        return f"{found[1]} is no {'whole ' if found[2] == 'integer' else ''}number."
    if found := RANGE.fullmatch(message):
        value, low, before, after, high = found.groups()
        limits = [f"{WORDS[MIRRORED[before]]} {low}"] if low else []
        limits += [f"{WORDS[after]} {high}"] if high else []
        return f"{value}: give a number of {' and '.join(limits)}."
    return message
