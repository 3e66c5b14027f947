"""`pix2pix train`: trains one run, or a sweep of runs with -m."""

import click

from pix2pix.cli.completion import SHELLS, complete_setting, completion_script


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("overrides", nargs=-1, type=click.UNPROCESSED, shell_complete=complete_setting)
def train(overrides: tuple[str, ...]) -> None:
    """Train one run, or a sweep with -m; see `pix2pix train --help`."""
    from pix2pix.cli.flags import join_flags, require_settings, split_flags

    require_settings(overrides)
    words, flags = split_flags(overrides)
    if "--shell-completion" in flags:
        _print_completion(words)
        return
    from pix2pix.cli import launch, show
    from pix2pix.config import compose

    with compose.friendly_errors():
        if "--help" in flags:
            show.show_help([*words, *join_flags(flags, "--help", "--resolve", "--multirun")])
        elif flags.get("--cfg") == "job":
            # What is printed has its references resolved, with or without --resolve.
            others = join_flags(flags, "--cfg", "--package", "--resolve", "--multirun")
            show.show_config([*words, *others], flags.get("--package"))
        elif "--info" in flags:
            show.show_info([*words, *join_flags(flags)])
        else:
            # Hydra's parser needs all overrides in one place.
            launch.run_or_sweep([*words, *join_flags(flags)])


def _print_completion(words: list[str]) -> None:
    """Hydra's way to ask for the script: -sc install=bash. Raises ValueError for others."""
    shell = dict(word.split("=", 1) for word in words if "=" in word).get("install")
    if shell not in SHELLS:
        raise ValueError(f"-sc {' '.join(words)}: write install={', install='.join(SHELLS)}.")
    click.echo(completion_script(shell))
