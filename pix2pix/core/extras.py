"""Imports optional packages, or says how to install them."""

import importlib
from types import ModuleType


class MissingExtraError(ValueError):
    """A package that an extra of pix2pix installs is missing. The message gives the command that installs it."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an extra: pip install 'pix2pix[{extra}]'.")


def import_extra(module: str, feature: str, extra: str) -> ModuleType:
    """A module of an optional package, which `feature` needs. Raises MissingExtraError where it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(feature, extra) from error
