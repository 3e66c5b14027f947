"""The command `pix2pix translate`: its options. `inference/files.py` translates."""

from pathlib import Path
from typing import Any

import click

from pix2pix.cli.completion import complete_path
from pix2pix.cli.options import INFERENCE, LocalPath, add_options


def parse_scale(context: click.Context, parameter: click.Parameter, value: str | None) -> float | str | None:
    """The scale as a word or a number. Raises click.BadParameter for anything else."""
    if value is None or value in {"training", "own"}:
        return value
    try:
        factor = float(value)
    except ValueError:
        factor = 0.0
    if not 0 < factor < float("inf"):
        raise click.BadParameter(f"{value!r} is none of training, own, and a factor such as 0.5.")
    return factor


def _parse_named_inputs(inputs: tuple[str, ...], named: tuple[str, ...]) -> dict[str, str]:
    """The inputs given as NAME=PATH. Raises click.UsageError unless there are either these or plain ones."""
    parts = [word.partition("=") for word in named]
    if wrong := [word for word, (name, _, path) in zip(named, parts, strict=True) if not (name and path)]:
        raise click.UsageError(f"--input {wrong[0]}: write NAME=PATH, such as --input mask=masks/.")
    by_name = {name: path for name, _, path in parts}
    if len(by_name) < len(named):
        raise click.UsageError("--input: one name is given twice.")
    if bool(inputs) == bool(named):
        raise click.UsageError("Give files or folders as INPUT, or --input NAME=PATH for a run of several inputs.")
    return by_name


def _require_stream_options(options: dict[str, Any]) -> None:
    """Raises click.UsageError for options that only folders of files have."""
    flags = {"named": "input"} | {name: name.replace("_", "-") for name in ("skip_existing", "side_by_side")}
    if given := [name for name, value in options.items() if value and name != "suffix"]:
        flag = flags.get(given[0], given[0])
        raise click.UsageError(f"- (standard input or output) takes one picture, without --{flag}. Name files instead.")


@click.command()
@click.argument("run", shell_complete=complete_path)
@click.argument("inputs", nargs=-1, shell_complete=complete_path, metavar="INPUT...")
@click.option(
    "--input",
    "named",
    multiple=True,
    metavar="NAME=PATH",
    help="For a run of several inputs, each by its name: --input mask=masks/ --input photo=photos/. Repeatable.",
)
@click.option(
    "--output",
    "-o",
    type=LocalPath(),
    default=Path("translated"),
    show_default=True,
    help="Folder for the results, or - for standard output.",
)
@click.option(
    "--format",
    "suffix",
    type=click.Choice(["png", "jpg", "webp", "tif", "npy"]),
    help="File format of the pictures. Default: png, or tif for pixels that png cannot hold.",
)
@click.option(
    "--skip-existing", is_flag=True, help="Skip inputs whose output file exists, to continue an interrupted job."
)
@click.option(
    "--side-by-side", is_flag=True, help="The files are pairs side by side: translate the input half of each."
)
@click.option("--page", is_flag=True, help="Also write an HTML gallery of inputs beside outputs.")
@click.option("--samples", type=click.IntRange(min=1), help="Outputs per picture, each with its own noise. Default: 1.")
@click.option(
    "--smooth",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    show_default=True,
    help="Weight of the earlier frames of a video, moved along its motion, against flicker.",
)
@click.option(
    "--tile",
    type=click.IntRange(min=1),
    default=2048,
    show_default=True,
    help="Side of the tiles for very large pictures, in pixels.",
)
@click.option(
    "--scale",
    callback=parse_scale,
    metavar="training|own|FACTOR",
    help="Size of the pictures: resized as in the training, their own, or a factor such as 0.5. Default: training.",
)
@click.option(
    "--derive/--no-derive",
    default=True,
    show_default=True,
    help="Derive the inputs of a run on edges, holes and so on from photos, or take the files as inputs.",
)
@click.option("--half", is_flag=True, help="Compute in half precision (16 bits).")
@add_options(INFERENCE)
def translate(run: str, inputs: tuple[str, ...], named: tuple[str, ...], output: Path, **options: Any) -> None:
    """Translate pictures and videos with a trained RUN.

    RUN is a run directory, a checkpoint, an exported .safetensors file, the name of a built-in translator
    (`pix2pix models list`), or hf://USER/NAME, a model of the Hugging Face Hub.

    An INPUT is a picture, a folder, a file pattern, a video, or a table of pairs, of which the inputs without targets
    are translated; `-` reads standard input. No targets are needed.

    \b
    pix2pix translate facades drawing.png
    pix2pix translate outputs/facades drawing.png more_drawings/ "sketches/**/*.jpg" film.mp4 --output photos/
    pix2pix translate outputs/facades - --output - < drawing.png > photo.png
    pix2pix translate outputs/holes --input mask=masks/ --input photo=photos/
    """
    from pix2pix.inference.files import translate_files
    from pix2pix.inference.gallery import write_page
    from pix2pix.inference.standard_streams import require_output_folder, translate_stream
    from pix2pix.inference.translator import load_translator

    file_options = {
        name: options.pop(name) for name in ("suffix", "skip_existing", "samples", "smooth", "side_by_side")
    }
    page = options.pop("page")
    by_name = _parse_named_inputs(inputs, named)
    require_output_folder(output, inputs)
    if is_stream := "-" in (*inputs, *by_name.values(), str(output)):
        _require_stream_options(file_options | {"page": page, "named": by_name})
    translator = load_translator(run, **options)
    if is_stream:
        translate_stream(translator, inputs, output, file_options["suffix"])
        return
    report = translate_files(translator, by_name or inputs, output, **file_options)
    if page:
        click.echo(write_page(report, output, Path(run)))
    click.echo(report.summary(output))
    if report.failed:
        raise SystemExit(1)
