"""`pix2pix dashboard`: monitors all runs of a folder on a local page."""

from pathlib import Path

import click

from pix2pix.cli.options import LocalPath


@click.command()
@click.argument("outputs", type=LocalPath(), default=Path("outputs"))
@click.option(
    "--port", type=click.IntRange(0, 65535), default=6006, show_default=True, help="TCP port; if taken, a free one."
)
@click.option("--browser/--no-browser", default=True, help="Open a browser. Default: yes.")
def dashboard(outputs: Path, port: int, browser: bool) -> None:
    """Monitor all runs of a folder on a local page.

    The page is a table of the runs: state, newest sample and best value. It opens comparisons, demos and TensorBoard.

    \b
    pix2pix dashboard outputs/
    """
    from pix2pix.web.dashboard import serve

    serve(outputs, port=port, open_browser=browser)
