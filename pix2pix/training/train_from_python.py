"""Starts a training from Python, with the words of the command line or with a configuration."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pix2pix.config.check import parse_and_check
from pix2pix.config.compose import compose_settings
from pix2pix.config.schema import RunConfig
from pix2pix.runs.run import Run
from pix2pix.training.train import train as train_run


def train(settings: Sequence[str] | Mapping[str, Any] | RunConfig, *, config_dir: str | Path | None = None) -> Run:
    """Trains a run, or resumes it where it stopped, as `pix2pix train` does.

    Args:
        settings: the words of the command line, such as `["experiment=facades", "seed=2"]`; or the settings of a run as
            a mapping or a `RunConfig`, such as `Run("outputs/facades").config().replace(name="again", run_dir=...)`.
        config_dir: a folder with configuration groups of your own, as `--config-dir`.

    Returns:
        The run. `run.metrics()` are its numbers, `pix2pix.load_translator(run.path)` its translator.

    Raises:
        ValueError: with every setting that is wrong, or when the directory holds another run.
        FileNotFoundError: for data that is not there.
        OSError: when the run directory cannot be written.
    """
    config = parse_and_check(_compose(settings, config_dir))
    train_run(config)
    return Run(config.run_dir)


def _compose(
    settings: Sequence[str] | Mapping[str, Any] | RunConfig, config_dir: str | Path | None
) -> Mapping[str, Any]:
    if isinstance(settings, RunConfig):
        return settings.to_mapping()  # `RunConfig.replace` does not check what it is given
    if isinstance(settings, str):
        raise TypeError(f'settings={settings!r}: is a text. Give a list of words, such as ["experiment=demo"].')
    return settings if isinstance(settings, Mapping) else compose_settings(settings, config_dir)
