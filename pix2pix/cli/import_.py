"""`pix2pix import`: makes a run from weights of the authors' PyTorch implementation."""

from pathlib import Path
from typing import Any

import click

from pix2pix.cli.options import LocalPath


@click.command("import")
@click.argument("file", type=LocalPath(), metavar="latest_net_G.pth")
@click.option(
    "--discriminator",
    type=LocalPath(),
    metavar="latest_net_D.pth",
    help="Weights of the discriminator, to train further.",
)
@click.option("--name", help="Name of the run. Default: the name of the file's folder.")
@click.argument("settings", nargs=-1, metavar="[SETTING...]")
def import_(file: Path, settings: tuple[str, ...], **options: Any) -> None:
    """Import weights of the authors' implementation.

    Makes a run from them, which can then be used for translation, evaluation, export and the demo.

    The architecture is derived from the tensors; all else is set by SETTINGs, written as for `pix2pix train`.

    \b
    pix2pix import checkpoints/facades_label2photo_pretrained/latest_net_G.pth data=facades
    pix2pix import latest_net_G.pth --name mine data.path=my/pairs data.direction=BtoA
    """
    from pix2pix.config import compose
    from pix2pix.export.import_reference import import_reference

    with compose.friendly_errors():
        run = import_reference(file, settings, **options)
    generator = run.config().generator
    arguments = "  ".join(f"{name}={value}" for name, value in generator.items() if name != "_target_")
    click.echo(f"{generator['_target_'].rpartition('.')[2]}  {arguments}\n{run.path}")
