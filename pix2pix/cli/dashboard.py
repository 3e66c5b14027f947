"""`pix2pix dashboard`: watch all runs of a folder on a local page."""

from pathlib import Path

import click


@click.command()
@click.argument("outputs", type=click.Path(path_type=Path), default=Path("outputs"))
@click.option("--port", type=click.IntRange(0, 65535), default=6006, show_default=True, help="Another one if taken.")
@click.option("--browser/--no-browser", default=True, help="Open a browser. Default: yes.")
def dashboard(outputs: Path, port: int, browser: bool) -> None:
    """Watch all runs of a folder on a local page: TensorBoard, comparisons, evaluations, newest samples.

    \b
    pix2pix dashboard outputs/
    """
    from pix2pix.web.dashboard import serve

    serve(outputs, port=port, open_browser=browser)
