"""What `pix2pix train` prints without training: a run's configuration, the choices, completions of words."""

import logging
import string
from collections.abc import Iterator

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.plugins.completion_plugin import DefaultCompletionPlugin
from omegaconf import DictConfig, OmegaConf

from pix2pix.config.compose import CONFIG, resolve, run_with_hydra
from pix2pix.config.composition_errors import is_choice
from pix2pix.core.addresses import hide_secrets
from pix2pix.core.instantiate import unknown_key_message


def show_config(words: list[str], package: str | None = None) -> None:
    """Prints the settings as config.yaml would hold them, or one part of them; runs nothing.

    Where they cannot be run it raises ValueError after that, with the same problems as a training.

    Args:
        words: the words of the command line.
        package: the dotted name of the part, such as `data.source`.
    """

    def show(cfg: DictConfig) -> None:
        from pix2pix.config.check import parse_and_check

        resolved = resolve(cfg)
        settings = OmegaConf.create(resolved)
        part = OmegaConf.select(settings, package) if package else settings
        if package and part is None:
            raise ValueError(unknown_key_message(package, map(str, settings)))
        print(hide_secrets(OmegaConf.to_yaml(part) if OmegaConf.is_config(part) else f"{part}\n"), end="", flush=True)
        parse_and_check(resolved)

    run_with_hydra(show, ["hydra.mode=RUN", *words])


def show_help(words: list[str]) -> None:
    """Prints how to train, with the options of every group. Hydra's own help would also list parts of options."""

    def show(_cfg: DictConfig) -> None:
        template = string.Template(HydraConfig.get().help.template)
        print(template.safe_substitute(APP_CONFIG_GROUPS="\n".join(_list_groups())))

    run_with_hydra(show, ["hydra.mode=RUN", *words])


def show_info(words: list[str]) -> None:
    """Prints what Hydra's flag --info asks for."""
    # Hydra adds a handler of its own, beside which ours would print every line again.
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, []
    try:
        run_with_hydra(lambda _cfg: None, words)
    finally:
        root.handlers = handlers


def find_completions(overrides: list[str], flags: list[str], incomplete: str) -> list[str]:
    """The settings and choices that the beginning of a word may become, after these overrides and flags."""
    found: list[str] = []

    def find(_cfg: DictConfig) -> None:
        plugin = DefaultCompletionPlugin(GlobalHydra.instance().config_loader())
        found.extend(plugin._query(CONFIG, f"{' '.join(overrides)} {incomplete}"))

    # The overrides are left to Hydra's plugin: they may not fit together yet.
    run_with_hydra(find, ["hydra.mode=RUN", *flags])
    return [each for each in found if is_choice(each.partition("=")[2]) and not each.startswith("hydra")]


def _list_groups() -> Iterator[str]:
    hydra = GlobalHydra.instance().hydra
    assert hydra is not None
    for group in sorted(hydra.list_all_config_groups()):
        options = filter(is_choice, sorted(hydra.config_loader.get_group_options(group)))
        if group.partition("/")[0] != "hydra":
            yield f"{group}: {', '.join(options)}"
