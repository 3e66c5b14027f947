"""Chooses evenly spaced members of a sequence."""


def evenly_spaced(length: int, count: int) -> list[int]:
    """`count` evenly spaced indices in range(length), or all of them when there are fewer."""
    count = min(count, length)
    # Integer arithmetic: no rounding, so equal arguments give equal pairs on every machine.
    return [i * length // count for i in range(count)]
