"""Composes a run's settings from YAML files and the command line, and resolves every reference in them.

Torch is imported where it is needed, so that `pix2pix train --help` and misspelt words are answered at once.
"""

import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from pix2pix.config.composition_errors import describe_error
from pix2pix.config.old_settings import update_settings
from pix2pix.config.own_configs import add_own_configs
from pix2pix.config.quoting import quote_words
from pix2pix.config.resolvers import PREFIX, RESOLVERS
from pix2pix.core.addresses import require_no_secrets_in
from pix2pix.core.errors import exit_with_message
from pix2pix.core.old_names import update_class_names

# In a checkout the tree stands beside the package, in an installed wheel inside it.
CONFIGS = next(d for d in (Path(__file__).parents[1] / "configs", Path(__file__).parents[2] / "configs") if d.is_dir())

CONFIG = "train"  # the primary configuration

# OmegaConf keeps resolvers for the whole process, so their names begin with the package's. They are registered at
# import, because launchers unpickle a job and resolve its references before they call it.
for resolver in RESOLVERS:
    OmegaConf.register_new_resolver(f"{PREFIX}{resolver.__name__}", resolver, replace=True)
COLLECTIONS = {"callbacks", "logger", "metrics"}  # groups of components by their names
ONE_CHOICE = {"data", "discriminator", "generator", "objective", "schedule"}  # groups of which a run has one option


def resolve(cfg: DictConfig) -> dict[str, Any]:
    """The settings as plain values, with every reference resolved.

    There is no discriminator without an adversarial term, and no callback, logger or metric that is set to null.
    """
    cfg = cfg.copy()
    with open_dict(cfg):
        for about_sweeps in ("hydra", "sweep_name"):
            cfg.pop(about_sweeps, None)
    if OmegaConf.select(cfg, "objective.adversarial") is None:
        OmegaConf.update(cfg, "discriminator", None)
    resolved = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    assert isinstance(resolved, dict)
    for group in COLLECTIONS:  # `callbacks=[]` chooses none, and then there is no such key
        resolved[group] = {name: part for name, part in (resolved.get(group) or {}).items() if part is not None}
    return update_settings(update_class_names(resolved))


def compose_settings(words: Sequence[str], config_dir: str | Path | None = None) -> dict[str, Any]:
    """Composes the settings that overrides select, without Hydra's command line: for use from Python.

    `config_dir`: a folder with further configuration groups. Raises ValueError, in the user's words, for settings that
    do not exist.
    """
    require_no_secrets_in(words)
    _refuse_misleading_words(words)
    folders = [f"hydra.searchpath={json.dumps([f'file://{Path(config_dir).resolve()}'])}"] if config_dir else []
    try:
        with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
            return resolve(hydra.compose(CONFIG, overrides=[*quote_words(words), *folders]))
    except (HydraException, OmegaConfBaseException) as error:
        raise ValueError(describe_error(error)) from error


def compose_command_line(words: list[str]) -> dict[str, Any]:
    """Composes the settings of a command line of `pix2pix train`."""
    composed: list[dict[str, Any]] = []
    run_with_hydra(lambda cfg: composed.append(resolve(cfg)), words)
    return composed[0]


# Hydra's own settings in train.yaml, for a primary configuration that has none, such as a run's config.yaml.
HYDRA_SETTINGS = (
    *("hydra.run.dir=.", "hydra.output_subdir=null", "hydra/job_logging=stdout", "hydra/hydra_logging=none"),
    "hydra.job_logging.formatters.simple.format='%(message)s'",
)


def run_with_hydra(job: Callable[[DictConfig], Any], words: list[str]) -> None:
    """Composes the configuration and calls `job` with it; in a sweep, once for each of its jobs."""
    _check_named_runs(words)
    require_no_secrets_in(words)  # before an error message repeats them
    _refuse_misleading_words(words)
    words = add_own_configs(words, CONFIGS)
    own = HYDRA_SETTINGS if any(word.startswith(("--config-name", "-cn")) for word in words) else ()
    typed, sys.argv = sys.argv, ["pix2pix train", *own, *quote_words(words)]  # Hydra reads sys.argv

    # Hydra's entry point returns nothing and handles errors by itself, so the error is carried out in a list.
    failed: list[Exception] = []

    def call_job(cfg: DictConfig) -> Any:
        sys.argv = typed  # training on several devices starts its other processes by this command
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            return job(cfg)
        try:
            job(cfg)
        except Exception as error:  # raised below: Hydra would print a line of its own before the message
            failed.append(error)

    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises errors instead of printing them
    hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name=CONFIG)(call_job)()
    if failed:
        raise failed[0]


def _refuse_misleading_words(words: Sequence[str]) -> None:
    """Raises ValueError for a word that Hydra takes, and that does something else here than it seems to.

    Hydra writes no files here, so `hydra.run.dir` would stay empty. Of a list of generators it would mix the settings.
    """
    for word in words:
        key, _, value = word.partition("=")
        key = key.lstrip("+~")
        # Lightning starts the other processes of a training with the folder that it has here anyway.
        if key == "hydra.run.dir" and value.strip("\"'") != ".":
            raise ValueError(f"{word}: a run is written to run_dir. Set run_dir={value or 'FOLDER'} instead.")
        if key in ONE_CHOICE and value.startswith("[") and "," in value:
            options = value.strip("[] ").replace(" ", "")
            raise ValueError(
                f"{word}: a run takes one option of {key}. Write {key}=OPTION; to train a run with each, write "
                f"pix2pix train -m {key}={options}."
            )


def _check_named_runs(words: Sequence[str]) -> None:
    """Checks the `config.yaml` of a run that is given as the primary configuration, before Hydra builds anything."""
    # Both forms: `--config-dir DIR` and `--config-dir=DIR`.
    flags = ("--config-dir", "-cd", "--config-path", "-cp")
    named = [words[at + 1] for at, word in enumerate(words[:-1]) if word in flags]
    named += [word.partition("=")[2] for word in words if word.partition("=")[0] in flags and "=" in word]
    for folder in map(Path, named):
        file = folder / "config.yaml"
        # A user's own config.yaml lies in a folder of configurations, without what a training writes beside it.
        if file.is_file() and ((folder / "provenance.json").is_file() or (folder / "checkpoints").is_dir()):
            from pix2pix.config.components import require_trusted_config
            from pix2pix.config.saved import UnreadableConfigError, read_settings

            try:
                require_trusted_config(read_settings(file), file)
            except UnreadableConfigError as error:
                raise ValueError(f"{file}: {error}.") from error


def friendly_errors() -> AbstractContextManager[None]:
    """Ends the command with a sentence for an error of Hydra, OmegaConf or this package."""
    return exit_with_message(HydraException, OmegaConfBaseException, yaml.YAMLError, describe=describe_error)
