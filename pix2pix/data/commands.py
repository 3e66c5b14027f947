"""`pix2pix data ...`: get, verify and make data sets. Each command imports what it needs when it is called."""

from pathlib import Path

import click

ROOT = click.option(
    "--root",
    envvar="PIX2PIX_DATA",
    default="data",
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder of all data sets, data.root of the configuration. [env: PIX2PIX_DATA]",
)


@click.group()
def data() -> None:
    """Get, verify and make data sets.

    \b
    pix2pix data list
    pix2pix data download facades
    pix2pix data check data/facades
    """


@data.command("list")
@ROOT
def list_sets(root: Path) -> None:
    """The paper's data sets: what is in them, how large they are, whose they are, and which are here.

    \b
    pix2pix data list
    """
    from pix2pix.data.catalogue import KNOWN

    for known in KNOWN.values():
        counts = " / ".join(f"{pairs} {split}" for split, pairs in known.splits.items())
        folder = root / known.name
        here = "" if not folder.is_dir() else f"  in {folder}" + (", incomplete" if known.lacking(folder) else "")
        click.echo(f"{known.name}  {counts}  about {known.megabytes} MB  {known.halves}{here}")
        click.echo(f"    {known.whose}\n    {known.terms} ({known.homepage})")


@data.command()
@click.argument("name")
@ROOT
@click.option("--mirror", "mirrors", multiple=True, metavar="URL", help="A folder that holds NAME.tar.gz; repeatable.")
def download(name: str, root: Path, mirrors: tuple[str, ...]) -> None:
    """Download a data set of the paper to where training looks for it. The same command again continues.

    Mirrors are asked before the authors' server: --mirror, then the URLs in PIX2PIX_MIRRORS, then those in
    ROOT/mirrors.txt, one a line. ROOT/datasets.lock keeps the checksum of the first download; later ones must equal it.

    \b
    pix2pix data download facades
    pix2pix data download maps --mirror https://example.org/pix2pix
    """
    from pix2pix.data import download as downloading
    from pix2pix.data.catalogue import known_set

    known = known_set(name)
    click.echo(f"{name}: {known.whose}.\nTerms: {known.terms} ({known.homepage}).")
    folder = downloading.download(known, root, downloading.mirrors_of(root, mirrors))
    elsewhere = "" if root == Path("data") else f" data.root={root}"
    click.echo(f"{folder}: {known.pairs} pairs, complete.\nTrain:  pix2pix train experiment={name}{elsewhere}")
