"""`pix2pix models`: lists the built-in translators and the published ones, and downloads the latter."""

import shlex
from pathlib import Path

import click

from pix2pix.cli.options import LocalPath


@click.group()
def models() -> None:
    """List trained translators, and download those that the authors of pix2pix published.

    \b
    pix2pix models list
    pix2pix models download facades_label2photo
    """


@models.command("list")
@click.option(
    "--root",
    default="outputs",
    show_default=True,
    type=LocalPath(file_okay=False),
    help="Folder of runs to look in for downloaded translators.",
)
def list_models(root: Path) -> None:
    """List the built-in and the published translators.

    Prints the purpose, size, data, terms of use and address of each, and whether it is on this machine.

    \b
    pix2pix models list
    """
    _list_builtin()
    _list_published(root)


def _list_builtin() -> None:
    from pix2pix.inference.builtin import BUILTIN

    click.echo("Built in, used by name:\n")
    for known in BUILTIN.values():
        click.echo(f"{known.name}  {known.purpose}  {known.file.stat().st_size / 1e6:.1f} MB")
        click.echo(f"    {known.file}\n    {known.card}")


def _list_published(root: Path) -> None:
    from pix2pix.export.published_weights import HOST, LICENCE, MEGABYTES, PUBLISHED, find_downloaded

    downloaded = find_downloaded(root)
    click.echo(f"\nFor `pix2pix models download NAME`, from {HOST};\n{LICENCE}:\n")
    for known in PUBLISHED.values():
        place = f"  in {downloaded[known.name]}" if known.name in downloaded else ""
        size = f"{known.network['size']}x{known.network['size']} pixels"
        click.echo(f"{known.name}  {known.task}, {size}  about {MEGABYTES} MB{place}")
        click.echo(f"    U-Net, 3 to 3 channels, batch norm; data={known.data} data.direction={known.direction}")
        click.echo(f"    trained on {known.pairs.owner}\n    {known.pairs.terms} ({known.pairs.homepage})")


@models.command()
@click.argument("name")
@click.option("--output", "-o", type=LocalPath(), help="Run directory to write. Default: outputs/NAME.")
@click.option("--mirror", "mirrors", multiple=True, metavar="URL", help="URL of a folder with NAME.pth. Repeatable.")
def download(name: str, output: Path | None, mirrors: tuple[str, ...]) -> None:
    """Download published weights and make a run of them, as `pix2pix import` does.

    Run the command again to continue an interrupted download.

    Mirrors are tried before the authors' server: --mirror, then the URLs in PIX2PIX_MIRRORS, then those in mirrors.txt
    beside the run, one per line. models.lock beside the run keeps the checksum of the first download; later ones must
    match.

    \b
    pix2pix models download facades_label2photo
    pix2pix models download sat2map --output runs/sat2map --mirror https://example.org/pix2pix
    """
    from pix2pix.config import compose
    from pix2pix.datasets.download.mirrors import list_mirrors
    from pix2pix.export.download_weights import download_weights
    from pix2pix.export.published_weights import find_published_weights

    known = find_published_weights(name)
    place = output or Path("outputs") / name
    click.echo(f"{name}: {known.task}.\nTerms: {known.terms}.")
    with compose.friendly_errors():
        run = download_weights(known, place, list_mirrors(place.parent, mirrors, known.file))
    word = shlex.quote(str(run.path))
    click.echo(f"{run.path}: a run like any other.\nDraw:      pix2pix demo {word}")
    click.echo(
        f"Evaluate:  pix2pix data download {known.dataset} && pix2pix evaluate {word} --data data/{known.dataset}"
    )
