"""`pix2pix completion`: completes commands, options, settings and their choices on the TAB key."""

import logging
import os

import click
from click.shell_completion import CompletionItem, get_completion_class

SHELLS = ("bash", "zsh", "fish")
PROGRAM, VARIABLE = "pix2pix", "_PIX2PIX_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script that completes pix2pix commands in a SHELL.

    It completes commands, options, and the settings and choices of `pix2pix train`. Add the line to ~/.bashrc or
    ~/.zshrc; for fish: pix2pix completion fish | source

    \b
    eval "$(pix2pix completion bash)"
    """
    click.echo(completion_script(shell))


def completion_script(shell: str) -> str:
    """The script of a shell that asks this program for completions."""
    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(click.Group(PROGRAM), {}, PROGRAM, VARIABLE).source()
    # Only bash's script has this line: no space after `generator=`, which is not the whole word.
    return script.replace("    return 0\n", "    [[ ${COMPREPLY[0]} == *[=.] ]] && compopt -o nospace\n    return 0\n")


def complete_path(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Leaves a word to the shell, which completes files and folders."""
    return [CompletionItem(incomplete, type="file")]


def complete_setting(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Completes a setting, or a choice of a group. No error may reach the line that is being typed."""
    words, known = join_at_equals(list(context.params.get("overrides") or ()), incomplete)
    logging.disable()
    os.environ.pop("PIX2PIX_TRACEBACK", None)
    try:
        from pix2pix.cli.flags import join_flags, split_flags
        from pix2pix.cli.show import find_completions

        overrides, flags = split_flags(words[:-1])
        found = find_completions(overrides, join_flags(flags, "--multirun"), words[-1])
    except (Exception, SystemExit):
        return []
    return [CompletionItem(each.removeprefix(known)) for each in found]


def join_at_equals(words: list[str], incomplete: str) -> tuple[list[str], str]:
    """The words with the one to complete last, and its part that the shell does not replace.

    bash takes `generator`, `=` and `unet` for three words and replaces the last one; click drops an `=` that is the
    last one. Other shells replace the whole word.
    """
    if words[-1:] == ["="]:
        return [*words[:-2], f"{words[-2]}={incomplete}"], f"{words[-2]}="
    if words and not (incomplete or "=" in words[-1] or words[-1].startswith("-")):
        return [*words[:-1], f"{words[-1]}="], f"{words[-1]}="
    return [*words, incomplete], ""
