"""`pix2pix import`: make a run of weights from the authors' PyTorch implementation."""

from pathlib import Path
from typing import Any

import click


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path), metavar="latest_net_G.pth")
@click.option("--discriminator", type=click.Path(path_type=Path), metavar="latest_net_D.pth", help="D, to train on.")
@click.option("--name", help="Of the run. Default: the folder of the file, as the reference names it.")
@click.argument("settings", nargs=-1, metavar="[SETTING...]")
def import_(file: Path, settings: tuple[str, ...], **options: Any) -> None:
    """Make a run of weights from the authors' PyTorch implementation, to translate, evaluate, export and show.

    Its options are read off the tensors; the rest are settings as `pix2pix train` takes them.

    \b
    pix2pix import checkpoints/facades_label2photo_pretrained/latest_net_G.pth data=facades
    pix2pix import latest_net_G.pth --name mine data.path=my/pairs data.direction=BtoA
    """
    from pix2pix.config import compose
    from pix2pix.export.import_reference import import_reference

    with compose.in_words():
        run = import_reference(file, settings, **options)
    generator = run.config()["generator"]
    arguments = "  ".join(f"{name}={value}" for name, value in generator.items() if name != "_target_")
    click.echo(f"{generator['_target_'].rpartition('.')[2]}  {arguments}\n{run.path}")
