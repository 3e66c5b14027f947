"""Counts in sentences."""


def pluralize(number: int, one: str, many: str) -> str:
    """Puts a number before its singular or plural: `1 pair is`, `3 pairs are`."""
    return f"{number} {one if number == 1 else many}"
