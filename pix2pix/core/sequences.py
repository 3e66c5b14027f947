"""Small functions on sequences."""


def evenly_spaced(length: int, count: int) -> list[int]:
    """`count` indices, or as many as there are, spread evenly over range(length)."""
    count = min(count, length)
    return [i * length // count for i in range(count)]
