"""`pix2pix export`: exports the generator of a run for other programs."""

from pathlib import Path
from typing import Any

import click

from pix2pix.cli.completion import complete_path
from pix2pix.cli.options import MODEL, LocalPath, add_options


@click.command()
@click.argument("runs", nargs=-1, required=True, shell_complete=complete_path, metavar="RUN...")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["onnx", "safetensors", "exported-program", "web"]),
    default="onnx",
    show_default=True,
    help="Format to write; `web` is a folder that any web server can host.",
)
@click.option(
    "--output",
    "-o",
    type=LocalPath(),
    help="File or folder to write. Default: in RUN/exported/, or here for a built-in translator.",
)
@click.option(
    "--pixels",
    type=click.Choice(["uint8", "float"]),
    default="uint8",
    show_default=True,
    help="Input and output values of the exported network: uint8 (0 to 255) or float (-1 to 1).",
)
@click.option(
    "--derive/--no-derive",
    default=True,
    show_default=True,
    help="For a run on holes, low resolution and so on: the file derives the inputs from photos, or takes inputs.",
)
@click.option(
    "--half/--no-half",
    default=None,
    help="Store and compute in 16 bits; the file is half as large. Default: for web only.",
)
@click.option("--onnxruntime", metavar="DIR", help="For web: folder of the npm package. Default: downloaded once.")
@click.option("--address", metavar="URL", help="For web: where the page will be hosted, for the picture of its link.")
@click.option("--opset", type=click.IntRange(min=18), help="ONNX operator set version. Default: PyTorch's.")
@add_options(MODEL)
def export(runs: tuple[str, ...], kind: str, output: Path | None, **options: Any) -> None:
    """Export the generator of RUN for other programs.

    Checks that the outputs of the exported file agree with those of PyTorch. A web page can hold several runs.

    \b
    pix2pix export outputs/facades --format onnx -o facades.onnx
    pix2pix export facades --format web
    pix2pix export outputs/receptive_field/* --format web -o site
    """
    from pix2pix.export.export import export as write_file

    click.echo(write_file(runs, kind, output, **options))
