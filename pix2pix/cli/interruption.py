"""What a command says after Ctrl-C: what it has left on the disk, and how to go on."""

import shlex
from collections.abc import Sequence

import click

from pix2pix.core.addresses import hide_secrets

SERVERS = {"demo", "dashboard"}  # Ctrl-C is how these end
GO_ON = {"translate", "compare", "data download", "data prepare", "data shard", "models download", "train"}
LEFT = {
    "translate": "Every picture that was written is whole.",
    "evaluate": "The evaluation that was under way is not written, and an earlier one is as it was.",
    "compare": "The evaluations that had ended are kept; the page is not written.",
    "data download": "What has arrived is kept.",
    "data prepare": "Every file that was written is whole.",
    "data shard": "Every shard that was written is whole.",
    "export": "The export is not written, and an earlier one is as it was.",
    "import": "The run is not written.",
    "models download": "What has arrived is kept.",
    "push": "A model is shown on the Hub only once all its files are there.",
}


def describe_interruption(words: Sequence[str], told: str) -> str:
    """A line on what there is after an interruption, and one with the command that goes on or starts again.

    Args:
        words: the command line, without the program.
        told: what the interrupted work says of itself, which takes the place of the command's own sentence.
    """
    command = next((name for name in (" ".join(words[:2]), *words[:1]) if name in LEFT or name in GO_ON), "")
    again = hide_secrets(shlex.join(["pix2pix", *words]))
    if command == "translate" and "--skip-existing" not in words:
        again += " --skip-existing"
    verb = "Go on with" if command in GO_ON else "Start again with"
    return f"{' '.join(filter(None, ['Interrupted.', told or LEFT.get(command, '')]))}\n{verb}: {again}"


class InterruptibleGroup(click.Group):
    """Commands that end after Ctrl-C with what they have left, where click would say `Aborted!`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keeps the words, which click takes apart."""
        ctx.meta[__name__] = list(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Runs the command. An interruption ends the program with exit code 130, or 0 for a server."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as end:
            if ctx.invoked_subcommand in SERVERS:
                click.echo("\nEnded.", err=True)
                raise SystemExit(0) from end
            click.echo(f"\n{describe_interruption(ctx.meta[__name__], str(end))}", err=True)
            raise SystemExit(130) from end
