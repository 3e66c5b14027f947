"""Imports optional packages, or says how to install them."""

import importlib
from types import ModuleType

from pix2pix.data.images.picture_files import UnsupportedError


def import_extra(module: str, feature: str) -> ModuleType:
    """A module of the extra `scientific`. Raises UnsupportedError, with the command that installs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UnsupportedError(f"{feature} needs an extra: pip install 'pix2pix[scientific]'.") from error
