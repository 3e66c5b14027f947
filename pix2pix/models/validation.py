"""Checks the ranges of constructor arguments, for networks that are built without a configuration."""


def require_positive(**arguments: int) -> None:
    """Raises ValueError, naming the argument, unless each is at least 1."""
    for name, value in arguments.items():
        if value < 1:
            raise ValueError(f"{name} {value}: must be at least 1. Raise {name}.")


def require_probability(**arguments: float) -> None:
    """Raises ValueError, naming the argument, unless each is in [0, 1]; NaN is not."""
    for name, value in arguments.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} {value}: must be a probability between 0 and 1. Set {name}=0 to turn it off.")
