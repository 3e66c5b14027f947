"""`pix2pix data ...`: downloads, checks and makes data sets."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pix2pix.cli.completion import complete_setting
from pix2pix.cli.options import LocalPath
from pix2pix.cli.prepare import prepare

if TYPE_CHECKING:
    from pix2pix.data.sources.image_spec import Folders

ROOT = click.option(
    "--root",
    envvar="PIX2PIX_DATA",
    default="data",
    show_default=True,
    type=LocalPath(file_okay=False),
    help="Folder that holds the data sets (data.root of the configuration). [env: PIX2PIX_DATA]",
)


@click.group()
def data() -> None:
    """Download, check and make data sets.

    \b
    pix2pix data list
    pix2pix data download facades
    pix2pix data check data/facades
    pix2pix data prepare pairs labels/ photos/ -o data/mine
    """


data.add_command(prepare)


@data.command("list")
@ROOT
def list_sets(root: Path) -> None:
    """List the data sets of the paper.

    Prints the contents, size, owner and terms of use of each, and whether it is on this machine.

    \b
    pix2pix data list
    """
    from pix2pix.datasets.download.catalogue import CATALOGUE

    for known in CATALOGUE.values():
        counts = " / ".join(f"{pairs} {split}" for split, pairs in known.splits.items())
        folder = root / known.name
        place = (
            "" if not folder.is_dir() else f"  in {folder}" + (", incomplete" if known.missing_pairs(folder) else "")
        )
        click.echo(f"{known.name}  {counts}  about {known.megabytes} MB  {known.halves}{place}")
        click.echo(f"    {known.owner}\n    {known.terms} ({known.homepage})")


@data.command()
@click.argument("name")
@ROOT
@click.option("--mirror", "mirrors", multiple=True, metavar="URL", help="URL of a folder with NAME.tar.gz. Repeatable.")
def download(name: str, root: Path, mirrors: tuple[str, ...]) -> None:
    """Download a data set of the paper.

    It is written into ROOT, where training looks for it. Run the command again to continue a download.

    Mirrors are tried before the authors' server: --mirror, then the URLs in PIX2PIX_MIRRORS, then those in
    ROOT/mirrors.txt, one per line. ROOT/datasets.lock keeps the checksum of the first download; later ones must match.

    \b
    pix2pix data download facades
    pix2pix data download maps --mirror https://example.org/pix2pix
    """
    from pix2pix.datasets.download import download as downloading
    from pix2pix.datasets.download.catalogue import find_dataset
    from pix2pix.datasets.download.mirrors import list_mirrors

    known = find_dataset(name)
    click.echo(f"{name}: {known.owner}.\nTerms: {known.terms} ({known.homepage}).")
    folder = downloading.download(known, root, list_mirrors(root, mirrors))
    elsewhere = "" if root == Path("data") else f" {shlex.quote(f'data.root={root}')}"
    click.echo(f"{folder}: {known.pairs} pairs, complete.\nTrain:  pix2pix train experiment={name}{elsewhere}")


@data.command()
@click.argument("path", type=LocalPath())
@click.option("--data", "name", metavar="NAME", help="Data set of the paper whose numbers of pairs to expect.")
@click.option("--sheet", type=LocalPath(dir_okay=False), help="Picture to write, with pairs to look at.")
@click.option("--json", "as_json", is_flag=True, help="Print all findings as JSON, with every file.")
@click.option("--strict", is_flag=True, help="Exit with status 1 on warnings, too.")
@click.option("--workers", type=click.IntRange(min=1), help="Number of reading threads. Default: one per core.")
@click.option("--a", "of_a", multiple=True, help="Folder with image A, as in data.folders. Repeat it for several.")
@click.option("--b", "of_b", multiple=True, help="Folder with image B, as in data.folders. Repeat it for several.")
def check(
    path: Path,
    name: str | None,
    sheet: Path | None,
    as_json: bool,
    strict: bool,
    workers: int | None,
    of_a: tuple[str, ...],
    of_b: tuple[str, ...],
) -> None:
    """Check a folder of pairs, or a table of pairs, before training on it.

    The exit status is 0 without errors, else 1. The report ends with the command that trains on the pairs.

    \b
    pix2pix data check data/facades --data facades --sheet facades.png
    pix2pix data check data/scans --a images --b masks
    """
    from pix2pix.datasets.check import check as doctor
    from pix2pix.datasets.check.scan import FolderNames
    from pix2pix.datasets.download.catalogue import find_dataset

    folders: FolderNames | None = {"A": of_a or ("A",), "B": of_b or ("B",)} if of_a or of_b else None
    result = doctor.check(path, find_dataset(name).name if name else None, workers, folders)
    if sheet:
        doctor.write_contact_sheet(result, sheet)
    click.echo(doctor.format_json(result) if as_json else "\n".join(doctor.format_text(result)))
    worst = {finding.severity for finding in result.findings}
    if not result.is_trainable or (strict and "warning" in worst):
        raise SystemExit(1)


@data.command(context_settings={"ignore_unknown_options": True})
@click.argument("overrides", nargs=-1, type=click.UNPROCESSED, shell_complete=complete_setting)
@click.option("--output", "-o", type=LocalPath(), help="Picture to write. Default: preview_NAME.png.")
@click.option("--views", type=click.IntRange(min=1), default=20, show_default=True, help="Number of pairs.")
def preview(overrides: tuple[str, ...], output: Path | None, views: int) -> None:
    """Draw augmented training pairs as the networks will see them. Takes the settings of `pix2pix train`.

    \b
    pix2pix data preview experiment=facades data.augment.rotation=5
    """
    from pix2pix.cli.flags import require_settings
    from pix2pix.config import compose
    from pix2pix.config.check import parse_without_networks
    from pix2pix.data.images.pictures import save_picture
    from pix2pix.datasets.preview import draw_preview as draw

    require_settings(overrides)
    with compose.friendly_errors():
        config = parse_without_networks(compose.compose_command_line(list(overrides)))
    path = output or Path(f"preview_{config.data.name}.png")
    save_picture(draw(config.data, config.seed, views), path)
    click.echo(path)


@data.command()
@click.argument("folder", type=LocalPath())
@click.argument("output", type=LocalPath())
@click.option(
    "--a",
    "of_a",
    multiple=True,
    default=("A",),
    show_default=True,
    help="Folder with image A. Repeat it to join the channels of several.",
)
@click.option(
    "--b",
    "of_b",
    multiple=True,
    default=("B",),
    show_default=True,
    help="Folder with image B. Repeat it to join the channels of several.",
)
@click.option(
    "--megabytes", type=click.IntRange(min=1), default=256, show_default=True, help="Size of a shard, in megabytes."
)
@click.option("--workers", type=click.IntRange(min=1), default=4, show_default=True, help="Shards to write at once.")
def shard(folder: Path, output: Path, of_a: tuple[str, ...], of_b: tuple[str, ...], **options: int) -> None:
    """Pack a folder of pairs into WebDataset shards.

    The shards can be read from a disk, a web server or a bucket.

    \b
    pix2pix data shard data/edges2shoes shards/edges2shoes
    pix2pix data shard my/pairs shards/mine --a photos --b masks
    pix2pix train data=shards data.path=shards/edges2shoes
    """
    from pix2pix.core.plurals import pluralize
    from pix2pix.data.sources.folder import PairFolder
    from pix2pix.datasets.write_shards import write_shards

    source = PairFolder(str(folder), folders={"A": _folder_setting(of_a), "B": _folder_setting(of_b)})
    for split, shards in write_shards(source, output, **options).items():
        size = sum(shard.bytes for shard in shards) / 1e6
        pairs = pluralize(sum(shard.pairs for shard in shards), "pair", "pairs")
        click.echo(f"{split}: {pairs} in {pluralize(len(shards), 'shard', 'shards')}, {size:.1f} MB")
    click.echo(f"pix2pix train data=shards data.path={output}")


def _folder_setting(names: tuple[str, ...]) -> "Folders":
    """A folder name, or a mapping of several whose files are joined. The 3 channels are nominal: training sets them."""
    return names[0] if len(names) == 1 else dict.fromkeys(names, 3)
