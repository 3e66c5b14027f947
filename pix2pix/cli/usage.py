"""Says in plain words what is wrong with the value of an option, where click speaks of types and ranges."""

import re

import click

NUMBER = re.compile(r"(.+) is not a valid (integer|float)(?: range)?\.")
RANGE = re.compile(r"(.+) is not in the range (?:(\S+?)(<=?))?x(?:(<=?|>=?)(\S+?))?\.")
WORDS = {"<=": "at most", "<": "less than", ">=": "at least", ">": "more than"}
MIRRORED = {"<=": ">=", "<": ">"}  # of a limit that stands before x


def rephrase(error: click.BadParameter) -> click.BadParameter:
    """The same error, with a sentence of this package's in the place of click's about a number."""
    message = _rephrase(error.message)
    return error if message == error.message else click.BadParameter(message, error.ctx, error.param, error.param_hint)


def _rephrase(message: str) -> str:
    if found := NUMBER.fullmatch(message):
        return f"{found[1]} is no {'whole ' if found[2] == 'integer' else ''}number."
    if found := RANGE.fullmatch(message):
        value, low, before, after, high = found.groups()
        limits = [f"{WORDS[MIRRORED[before]]} {low}"] if low else []
        limits += [f"{WORDS[after]} {high}"] if high else []
        return f"{value}: give a number of {' and '.join(limits)}."
    return message
