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


@data.command(context_settings={"ignore_unknown_options": True})
@click.argument("overrides", nargs=-1, type=click.UNPROCESSED)
@click.option("--output", "-o", type=click.Path(path_type=Path), help="The picture. Default: preview_NAME.png here.")
@click.option("--views", type=click.IntRange(min=1), default=20, show_default=True, help="How many augmented pairs.")
def preview(overrides: tuple[str, ...], output: Path | None, views: int) -> None:
    """Draw augmented training pairs of any configuration, in the words of `pix2pix train`: what the network will see.

    \b
    pix2pix data preview experiment=facades data.augment.rotation=5
    """
    from pix2pix import composition, schema
    from pix2pix.pictures import save
    from pix2pix.preview import preview as draw

    with composition.in_words():
        config = composition.configured(list(overrides))
    schema.check(config)
    path = output or Path(f"preview_{config['data']['name']}.png")
    save(draw(config, views), path)
    click.echo(path)


@data.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--a", "of_a", multiple=True, default=("A",), show_default=True, help="Folder of A; again to join.")
@click.option("--b", "of_b", multiple=True, default=("B",), show_default=True, help="Folder of B; likewise.")
@click.option("--megabytes", type=click.IntRange(min=1), default=256, show_default=True, help="Size of a shard.")
@click.option("--workers", type=click.IntRange(min=1), default=4, show_default=True, help="Shards written at a time.")
def shard(folder: Path, output: Path, of_a: tuple[str, ...], of_b: tuple[str, ...], **how: int) -> None:
    """Pack the pairs in FOLDER into WebDataset shards in OUTPUT, to train from a disk, a web server or a bucket.

    \b
    pix2pix data shard data/edges2shoes shards/edges2shoes
    pix2pix data shard my/pairs shards/mine --a photos --b masks
    pix2pix train data=shards data.path=shards/edges2shoes
    """
    from pix2pix.data.pairs import PairFolder
    from pix2pix.data.sharding import write_shards

    source = PairFolder(str(folder), folders={"A": _joined(of_a), "B": _joined(of_b)})
    for split, shards in write_shards(source, output, **how).items():
        size = sum(shard.bytes for shard in shards) / 1e6
        click.echo(f"{split}: {sum(shard.pairs for shard in shards)} pairs in {len(shards)} shards, {size:.1f} MB")
    click.echo(f"pix2pix train data=shards data.path={output}")


def _joined(names: tuple[str, ...]) -> str | dict[str, int]:
    """A folder, or several whose files make one image; how many channels each has is for the training to say."""
    return names[0] if len(names) == 1 else dict.fromkeys(names, 3)
