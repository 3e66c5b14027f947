"""Maps class names in runs, checkpoints and exported files of version 0.1.0 to the present ones.

Present configurations name classes by their package (`pix2pix.models.UNet`), so that files may move within it. Earlier
ones name the module.
"""

from collections.abc import Mapping
from typing import Any

PACKAGES = {
    "pix2pix.callbacks": "pix2pix.training.callbacks",
    "pix2pix.data.derived": "pix2pix.data",
    "pix2pix.data.pairs": "pix2pix.data",
    "pix2pix.data.shards": "pix2pix.data",
    "pix2pix.data.synthetic.pairs": "pix2pix.data",
    "pix2pix.data.transforms": "pix2pix.data",
    "pix2pix.loggers": "pix2pix.training.loggers",
    "pix2pix.losses": "pix2pix.models",
    "pix2pix.networks": "pix2pix.models",
    "pix2pix.several_devices": "pix2pix.training",
}
"""Earlier modules, and the packages that contain their classes now."""

CLASSES = {
    "pix2pix.training.GANDDPStrategy": ("PlayersTogether",),
    "pix2pix.training.callbacks.CollapseMonitor": ("Diagnosis",),
    "pix2pix.training.callbacks.NaNGuard": ("Watch",),
    "pix2pix.training.callbacks.ProgressBar": ("Progress",),
    "pix2pix.training.callbacks.ResultsTable": ("Results",),
}
"""Classes that have been renamed, and their earlier names in the same package."""

RENAMED = {f"{path.rpartition('.')[0]}.{old}": path for path, names in CLASSES.items() for old in names}


def current_name(path: str) -> str:
    """The present dotted name of a class."""
    if not isinstance(path, str):
        return path
    # The longest prefix that has moved: `pix2pix.data.pairs.PairFolder` is found by `pix2pix.data.pairs`.
    module, _, name = path.rpartition(".")
    while module:
        if module in PACKAGES:
            path = f"{PACKAGES[module]}.{name}"
            break
        module = module.rpartition(".")[0]
    return RENAMED.get(path, path)


def current_class_name(name: str) -> str:
    """The present name of a class, without its package. Lightning stores the state of a callback under this name."""
    return next((path.rpartition(".")[2] for path, names in CLASSES.items() if name in names), name)


def update_class_names(tree: Any) -> Any:
    """A copy of a configuration from a file, with the present names of its classes."""
    if isinstance(tree, Mapping):
        return {
            key: current_name(value) if key == "_target_" else update_class_names(value) for key, value in tree.items()
        }
    if isinstance(tree, list | tuple):
        return [update_class_names(value) for value in tree]
    return tree
