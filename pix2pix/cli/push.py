"""`pix2pix push`: shares a translator on the Hugging Face Hub."""

from pathlib import Path
from typing import Any

import click

from pix2pix.cli.completion import complete_path
from pix2pix.cli.options import MODEL, LocalPath, add_options


@click.command()
@click.argument("run", shell_complete=complete_path)
@click.argument("repository", metavar="USER/NAME")
@click.option("--output", "-o", type=LocalPath(), help="Write the folder here and upload nothing.")
@click.option("--private", is_flag=True, help="Create the repository as a private one.")
@click.option("--revision", metavar="BRANCH", help="Branch to commit to. Default: main.")
@click.option(
    "--license", "licence", metavar="ID", help="Licence of the weights, such as mit. Default: the terms of the data."
)
@click.option("--samples/--no-samples", default=True, help="Include pictures of held-out pairs. Default: yes.")
@click.option("--half", is_flag=True, help="Store the weights in 16 bits; the file is half as large.")
@add_options(MODEL)
def push(run: str, repository: str, output: Path | None, **options: Any) -> None:
    """Share the translator of RUN on the Hugging Face Hub as USER/NAME.

    Uploads weights (safetensors), configuration, a model card with the metrics of `pix2pix evaluate`, and a picture of
    samples. Folders of this machine and passwords are left out.

    Log in first with `hf auth login`, or set HF_TOKEN. Others then use hf://USER/NAME for a RUN.

    \b
    pix2pix push outputs/facades ada/facades --output facades_card
    pix2pix push outputs/facades ada/facades --license cc-by-4.0
    pix2pix translate hf://ada/facades drawing.png
    """
    from pix2pix.export.push import push as upload
    from pix2pix.export.push import write_folder

    if output is None:
        click.echo(f"{upload(run, repository, **options)}\nUse:  pix2pix translate hf://{repository} picture.png")
        return
    for name in ("private", "revision"):
        options.pop(name)
    for file in write_folder(run, repository, output, **options):
        click.echo(file)
