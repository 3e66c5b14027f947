"""Imports optional packages, or says how to install them."""

import importlib
import re
from types import ModuleType

# What `import_extra` takes, where two places ask for it: the module, what needs it, and the extra that installs it.
RAY = ("ray", "hydra/launcher=ray", "ray")
OPTUNA = ("optuna", "hydra/sweeper=optuna", "search")
# The package that the message of a library names where it is missing.
ADVICE = re.compile(r"(?:pip install (?:-U )?|^Install )'?([A-Za-z][\w.-]*)")


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


def missing_package_error(feature: str, error: ImportError) -> ValueError:
    """The error for a component of another library, `feature`, that could not import the package that it needs."""
    advice = ADVICE.search(str(error))
    package = advice[1] if advice else (error.name or "").partition(".")[0]
    remedy = f"pip install {package}." if package else f"{str(error).rstrip('.')}."
    return ValueError(f"{feature} needs a package that is not installed: {remedy} Or leave it out.")
