"""Checks the ranges of constructor arguments, for callers without a configuration."""


def require_positive(**arguments: int) -> None:
    """Raises ValueError, naming the argument, unless each is at least 1."""
    for name, value in arguments.items():
        if value < 1:
            raise ValueError(f"{name} {value}: must be at least 1. Raise {name}.")


def require_probability(**arguments: float) -> None:
    """Raises ValueError, naming the argument, unless each lies in [0, 1]; nan does not."""
    for name, value in arguments.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} {value}: a probability lies between 0 and 1. Set {name} to 0 for none.")
