"""`pix2pix demo`: translates drawings and pictures live on a local page."""

from pathlib import Path
from typing import Any

import click

from pix2pix.cli.completion import complete_path
from pix2pix.cli.options import INFERENCE, add_options

LOCAL = "127.0.0.1"
PAGE_OPTIONS = {"host", "port", "browser", "names"}  # the others are of the translators


@click.command()
@click.argument("runs", nargs=-1, shell_complete=complete_path, metavar="[RUN...]")
@click.option(
    "--host",
    default=LOCAL,
    show_default=True,
    help="Address to listen on. With 0.0.0.0, every machine of the network can use the demo.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="TCP port. Default: a free one.")
@click.option("--browser/--no-browser", default=True, help="Open the page. Default: yes.")
@click.option(
    "--allow-host",
    "names",
    multiple=True,
    metavar="NAME",
    help="Additional host name to accept (for reverse proxies). Repeatable.",
)
@add_options(INFERENCE)
def demo(runs: tuple[str, ...], **options: Any) -> None:
    """Translate drawings and pictures live on a local page.

    Draw, upload a picture or use a camera. Several runs are shown side by side. Without a RUN, the built-in
    translator `facades` is shown. For a folder of runs with different inputs, a page to choose from is shown.

    \b
    pix2pix demo
    pix2pix demo outputs/facades
    pix2pix demo hf://USER/NAME
    pix2pix demo outputs/receptive_field/*
    """
    from pix2pix.inference.builtin import DEFAULT
    from pix2pix.web.demo.runs import take_different_inputs
    from pix2pix.web.demo.serve import serve

    is_local = options["host"] == LOCAL and not options["names"]  # a dashboard answers this machine only
    if len(runs) == 1 and is_local and take_different_inputs(Path(runs[0])):
        from pix2pix.web.dashboard import serve as serve_dashboard

        click.echo(f"The runs in {runs[0]} take different inputs. Tick runs on this page, then press Demo.")
        words = _list_words(options)
        serve_dashboard(Path(runs[0]), port=options["port"], open_browser=options["browser"], demo_options=words)
        return
    serve(runs or [DEFAULT.file], announce=click.echo, **options)


def _list_words(options: dict[str, Any]) -> list[str]:
    """The options of the translators as words of a command line."""
    given = {name: value for name, value in options.items() if name not in PAGE_OPTIONS and value is not None}
    values = {name: value if isinstance(value, tuple) else (value,) for name, value in given.items()}
    return [f"--{name}={each}" for name, several in values.items() for each in several]
