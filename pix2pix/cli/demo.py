"""`pix2pix demo`: draw, upload or point a camera, and watch runs translate it live, on a local page."""

from typing import Any

import click

from pix2pix.cli.options import CHECKPOINT, DEVICE, DROPOUT, NORMALIZATION, SEED, TRUST


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Where to listen; at 0.0.0.0 every machine of the network can use it.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Default: one that is free.")
@click.option("--browser/--no-browser", default=True, help="Open the page. Default: yes.")
@click.option("--allow-host", "names", multiple=True, metavar="NAME", help="A host name the demo goes by, of a proxy.")
@CHECKPOINT
@TRUST
@NORMALIZATION
@DROPOUT
@SEED
@DEVICE
def demo(runs: tuple[str, ...], **options: Any) -> None:
    """Draw, upload or point a camera, and watch runs translate it live, on a local page.

    \b
    pix2pix demo outputs/facades
    pix2pix demo outputs/receptive_field/*
    """
    from pix2pix.web.demo.serve import serve

    serve(runs, announce=lambda address: click.echo(f"{address}  (Ctrl-C ends the demo)"), **options)
