"""The command group. Commands import what they need when called, so that `pix2pix --help` starts fast."""

import logging
import sys

import click

from pix2pix.cli.compare import compare
from pix2pix.cli.completion import PROGRAM, completion
from pix2pix.cli.dashboard import dashboard
from pix2pix.cli.data import data
from pix2pix.cli.demo import demo
from pix2pix.cli.evaluate import evaluate
from pix2pix.cli.export import export
from pix2pix.cli.import_ import import_
from pix2pix.cli.interruption import InterruptibleGroup
from pix2pix.cli.models import models
from pix2pix.cli.new import new
from pix2pix.cli.push import push
from pix2pix.cli.train import train
from pix2pix.cli.translate import translate
from pix2pix.cli.usage import explain_dash, rephrase
from pix2pix.core.errors import exit_with_message
from pix2pix.core.garbage import collect_seldom
from pix2pix.core.spinning import spin_less_beside_trainings
from pix2pix.core.terminal import StyledFormatter
from pix2pix.core.utf8 import ensure_utf8


class Program(InterruptibleGroup):
    """The commands. An empty argument, which would mean the current directory as a path, is refused for all of them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Raises click.UsageError for an empty argument; the settings of a training may be empty."""
        if args[:1] != ["train"]:
            for before, word in zip(["", *args], args, strict=False):
                if not word.strip() or (word.startswith("--") and word.endswith("=")):
                    place = word if word.strip() else f"after {before!r}"
                    raise click.UsageError(
                        f"an argument is empty ({place}), perhaps from a shell variable that is not set. "
                        "Give it a value, or leave it out."
                    )
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Runs the command; errors about numbers are in plain words."""
        try:
            return super().invoke(ctx)
        except click.BadParameter as error:
            raise rephrase(error) from error
        except click.NoSuchOption as error:
            raise explain_dash(error, sys.argv[1:]) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands in the order of work, with their whole first sentences."""
        for title, names in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, self.commands[name].get_short_help_str(limit=200)) for name in names])


SECTIONS = {
    "Data": ("data",),
    "Train": ("train", "new"),
    "Look": ("dashboard", "evaluate", "compare"),
    "Use": ("demo", "translate", "export", "push", "models", "import"),
    "Shell": ("completion",),
}
COMPUTING = {"train", "evaluate", "translate", "demo"}
MAX_WIDTH = 120  # of help texts, in characters; narrower terminals wrap them


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": MAX_WIDTH})
@click.version_option(package_name="pix2pix")
@click.pass_context
def cli(context: click.Context) -> None:
    """Paired image-to-image translation with conditional GANs: train, evaluate, translate.

    \b
    pix2pix train experiment=demo
    pix2pix evaluate outputs/demo
    pix2pix translate outputs/demo drawing.png --output translated/
    """
    if context.invoked_subcommand in COMPUTING and not {"-h", "--help"} & set(sys.argv):
        spin_less_beside_trainings()


COMMANDS = (
    *(compare, completion, dashboard, data, demo, evaluate, export),
    *(import_, models, new, push, train, translate),
)
for command in COMMANDS:
    cli.add_command(command)


def main() -> None:
    """Runs the command, and prints errors without a traceback."""
    collect_seldom()
    ensure_utf8()
    handler = logging.StreamHandler()
    handler.setFormatter(StyledFormatter(handler.stream))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    with exit_with_message():
        cli(prog_name=PROGRAM)


if __name__ == "__main__":
    main()
