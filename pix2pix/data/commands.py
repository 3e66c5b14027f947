"""`pix2pix data ...`: get, verify and make data sets. Each command imports what it needs when it is called."""

from pathlib import Path

import click


@click.group()
def data() -> None:
    """Get, verify and make data sets.

    \b
    pix2pix data list
    pix2pix data download facades
    pix2pix data check data/facades
    """


@data.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--megabytes", type=click.IntRange(min=1), default=256, show_default=True, help="Size of a shard.")
@click.option("--workers", type=click.IntRange(min=1), default=4, show_default=True, help="Shards written at a time.")
def shard(folder: Path, output: Path, megabytes: int, workers: int) -> None:
    """Pack the pairs in FOLDER into WebDataset shards in OUTPUT, to train from a disk, a web server or a bucket.

    \b
    pix2pix data shard data/edges2shoes shards/edges2shoes
    pix2pix train data=shards data.path=shards/edges2shoes
    """
    from pix2pix.data.pairs import PairFolder
    from pix2pix.data.sharding import write_shards

    for split, shards in write_shards(PairFolder(str(folder)), output, megabytes=megabytes, workers=workers).items():
        size = sum(shard.bytes for shard in shards) / 1e6
        click.echo(f"{split}: {sum(shard.pairs for shard in shards)} pairs in {len(shards)} shards, {size:.1f} MB")
    click.echo(f"pix2pix train data=shards data.path={output}")
