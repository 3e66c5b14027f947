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
