"""Hydra reads and merges the files of `configs/` once for each choice of options, and not at every command of a test.

What a command sets is applied to a copy of what was merged, as Hydra applies it. Folders of a test's own are read
every time. Processes that a test starts compose as they do at users'.
"""

import copy
from dataclasses import astuple
from functools import cache
from typing import Any

from hydra._internal import config_loader_impl
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.defaults_list import DefaultsList, Overrides, create_defaults_list
from hydra._internal.hydra import Hydra
from omegaconf import DictConfig, _utils, base, grammar_parser

from pix2pix.config.compose import CONFIGS

UNCHANGING = {str(CONFIGS), "hydra.conf", ""}  # our folder, Hydra's and the schema's
LISTS: dict[Any, DefaultsList] = {}
MERGED: dict[Any, DictConfig] = {}

find_mode = Hydra.get_mode
merge = ConfigLoaderImpl._compose_config_from_defaults_list


def compose_once() -> None:
    """Puts what remembers in the place of what composes, for this process."""
    config_loader_impl.create_defaults_list = list_defaults_once
    ConfigLoaderImpl._compose_config_from_defaults_list = merge_once
    Hydra.get_mode = find_mode_of_words
    _utils.parse = base.parse = cache(grammar_parser.parse)  # of a reference: ${name}


def list_defaults_once(repo: Any, config_name: str | None, overrides_list: list[Any], **options: bool) -> DefaultsList:
    """The files to be merged for these choices of options, and the values that are to be set in the result."""
    if not is_unchanging(repo):
        return create_defaults_list(repo, config_name, overrides_list, **options)
    overrides = Overrides(repo, overrides_list)
    values = [override.input_line for override in overrides.config_overrides]
    choices = [override.input_line for override in overrides_list if override.input_line not in values]
    key = (config_name, *choices, *options.items())
    if key not in LISTS:
        LISTS[key] = create_defaults_list(repo, config_name, overrides_list, **options)
    found = copy.copy(LISTS[key])
    found.config_overrides = overrides.config_overrides
    return found


def merge_once(loader: ConfigLoaderImpl, defaults: list[Any], repo: Any) -> DictConfig:
    """A copy of what the files of this list make together."""
    if not is_unchanging(repo):
        return merge(loader, defaults, repo)
    key = tuple(map(astuple, defaults))
    if key not in MERGED:
        MERGED[key] = merge(loader, defaults, repo)
    return copy.deepcopy(MERGED[key])


def is_unchanging(repo: Any) -> bool:
    return {source.path for source in repo.get_sources()} <= UNCHANGING


def find_mode_of_words(hydra: Hydra, config_name: str | None, overrides: list[str]) -> Any:
    """Whether words ask for a sweep. Hydra composes the whole configuration to find out, and then composes it again."""
    if any(word in override for override in overrides for word in ("sweep", "hydra", "experiment")):
        return find_mode(hydra, config_name, overrides)
    return None  # as train.yaml has it; `-m` is no override
