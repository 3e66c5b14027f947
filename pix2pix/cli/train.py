"""`pix2pix train`: trains one run, or a sweep of runs with -m."""

import click

VALUED_FLAGS = {"--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd"}


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("overrides", nargs=-1, type=click.UNPROCESSED)
def train(overrides: tuple[str, ...]) -> None:
    """Train one run, or a sweep with -m; see `pix2pix train --help`."""
    from pix2pix.cli import launch
    from pix2pix.cli.words import require_settings
    from pix2pix.config import compose

    require_settings(overrides)
    words, flags = _split_flags(overrides)
    config_flags = [flag for flag in ("--cfg", "-c") if flag in flags and flags[flags.index(flag) + 1] == "job"]
    with compose.friendly_errors():
        if config_flags:
            start = flags.index(config_flags[0])
            others = [flag for flag in flags[:start] + flags[start + 2 :] if flag not in {"-m", "--multirun"}]
            compose.show_config([*words, "hydra.mode=RUN", *others])
        else:
            launch.run_or_sweep([*words, *flags])


def _split_flags(words: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Splits the words into overrides and flags, because Hydra's parser needs all overrides in one place."""
    overrides, flags, rest = [], [], iter(words)
    for word in rest:
        if not word.startswith("-"):
            overrides.append(word)
        else:
            flags += [word, next(rest, "")] if word in VALUED_FLAGS else [word]
    return overrides, flags
