"""`pix2pix data ...`: get, verify and make data sets. Each command imports what it needs when it is called."""

import click


@click.group()
def data() -> None:
    """Get, verify and make data sets.

    \b
    pix2pix data list
    pix2pix data download facades
    pix2pix data check data/facades
    """
