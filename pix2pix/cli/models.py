"""`pix2pix models`: shows the translators that are installed with the package."""

import click


@click.group()
def models() -> None:
    """Show the built-in translators, which are trained already.

    \b
    pix2pix models list
    """


@models.command("list")
def list_models() -> None:
    """List them: name, purpose, size, file and description.

    \b
    pix2pix models list
    """
    from pix2pix.inference.builtin import BUILTIN

    for known in BUILTIN.values():
        click.echo(f"{known.name}  {known.does}  {known.file.stat().st_size / 1e6:.1f} MB")
        click.echo(f"    {known.file}\n    {known.card}")
