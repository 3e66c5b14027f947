"""The configuration that a run has saved, read as anybody's file: plain values, of which nothing is built."""

from pathlib import Path

import yaml

from pix2pix.config.identity import Config
from pix2pix.core.old_names import update_class_names
from pix2pix.core.trust import require_plain

PARTS = ("data", "generator", "objective", "optimizer", "trainer")  # of every configuration
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C, a tenth of the time, is not built everywhere


class UnreadableError(ValueError):
    """A config.yaml that is none; the message says why, without the name of the file."""


def read_config(file: Path) -> Config:
    """The resolved configuration in a config.yaml, its classes under their names of today.

    Raises:
        UnreadableError: when the file is damaged, or another program's.
        ValueError: when it holds more than plain values.
    """
    try:
        config = yaml.load(file.read_text(encoding="utf-8"), LOADER)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise UnreadableError(f"cannot be read ({first}), it was cut short or damaged") from error
    if not isinstance(config, dict):
        raise UnreadableError("holds no settings, it was cut short or damaged")
    require_plain(config, file)
    config = update_class_names(config)
    lacking = [part for part in PARTS if not isinstance(config.get(part), dict)]
    if lacking:
        raise UnreadableError(f"lacks {', '.join(lacking)}: it was cut short, or another program wrote it")
    return config
