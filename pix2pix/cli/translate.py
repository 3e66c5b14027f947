"""`pix2pix translate`: translate pictures, folders, patterns and videos with a trained run."""

from pathlib import Path
from typing import Any

import click

from pix2pix.cli.options import CHECKPOINT, DEVICE, DROPOUT, NORMALIZATION, SEED, TRUST


@click.command()
@click.argument("run")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--output", "-o", type=click.Path(path_type=Path), required=True, help="Folder for the results.")
@click.option(
    "--format",
    "suffix",
    type=click.Choice(["png", "jpg", "webp", "tif", "npy"]),
    help="Of pictures. Default: png, or tif for pixels that png cannot hold.",
)
@click.option("--skip-existing", is_flag=True, help="Leave out what is there already: goes on after a kill.")
@click.option("--page", is_flag=True, help="Also a page that shows inputs and outputs side by side.")
@click.option("--samples", type=click.IntRange(min=1), help="Translations of each picture, under different noise.")
@click.option(
    "--smooth", type=click.FloatRange(0, 1, max_open=True), default=0.0, help="Share of earlier video frames."
)
@click.option("--tile", type=click.IntRange(min=1), default=2048, show_default=True, help="Of very large pictures.")
@click.option("--half", is_flag=True, help="Half precision.")
@CHECKPOINT
@TRUST
@NORMALIZATION
@DROPOUT
@SEED
@DEVICE
def translate(run: str, inputs: tuple[str, ...], output: Path, **options: Any) -> None:
    """Translate pictures, folders, patterns and videos with a trained RUN (a directory or a file). No targets needed.

    An input `-` is read from standard input; `--output -` writes to standard output.

    \b
    pix2pix translate outputs/facades drawing.png more_drawings/ "sketches/**/*.jpg" film.mp4 --output photos/
    pix2pix translate outputs/facades - --output - < drawing.png > photo.png
    """
    from pix2pix.inference.files import require_folder, translate_files, translate_stream
    from pix2pix.inference.gallery import write_page
    from pix2pix.inference.translator import load_translator

    how = {name: options.pop(name) for name in ("suffix", "skip_existing", "samples", "smooth")}
    page = options.pop("page")
    require_folder(output, inputs)
    translator = load_translator(run, **options)
    if "-" in (*inputs, str(output)):
        translate_stream(translator, inputs, output, how["suffix"])
        return
    report = translate_files(translator, inputs, output, **how)
    if page:
        click.echo(write_page(report, output, Path(run)))
    click.echo(report.summary(output))
    if report.failed:
        raise SystemExit(1)
