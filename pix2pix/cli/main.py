"""The command line. Imports nothing heavy: `pix2pix --help` answers at once."""

import logging
from pathlib import Path
from typing import Any

import click

from pix2pix.cli.data import data
from pix2pix.core.errors import explained
from pix2pix.core.utf8 import speak_utf8

VALUED_FLAGS = {"--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd"}
CHECKPOINT = click.option(
    "--checkpoint", default="best", show_default=True, metavar="best|last|ema|epoch=N|PATH", help="Which weights."
)
DEVICE = click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps.")
NORMALIZATION = click.option(
    "--normalization",
    type=click.Choice(["batch", "running"]),
    help="Statistics of the picture, or of training. Default: the run's.",
)
DROPOUT = click.option("--dropout", type=click.Choice(["on", "off"]), help="Dropout as noise. Default: the run's.")
TRUST = click.option(
    "--trust",
    multiple=True,
    metavar="MODULE",
    help="Build classes of this module, too, where a run names them. It may run anything: know it. Repeatable.",
)
SEED = click.option("--seed", type=click.IntRange(min=0), help="Of the dropout noise. Default: the run's.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pix2pix")
def cli() -> None:
    """Paired image-to-image translation with conditional GANs: train, evaluate, translate.

    \b
    pix2pix train experiment=demo
    pix2pix evaluate outputs/demo
    pix2pix translate outputs/demo drawing.png --output translated/
    """


@cli.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("overrides", nargs=-1, type=click.UNPROCESSED)
def train(overrides: tuple[str, ...]) -> None:
    """Train one run, or with -m a sweep; see `pix2pix train --help`."""
    from pix2pix.cli import launch
    from pix2pix.config import compose

    words, flags = _parted(overrides)
    asked = [flag for flag in ("--cfg", "-c") if flag in flags and flags[flags.index(flag) + 1] == "job"]
    with compose.in_words():
        launch.judge_runs(flags)
        if asked:
            at = flags.index(asked[0])
            others = [flag for flag in flags[:at] + flags[at + 2 :] if flag not in {"-m", "--multirun"}]
            compose.show_config([*words, "hydra.mode=RUN", *others])
        else:
            launch.train([*words, *flags])


def _parted(words: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Overrides and flags: Hydra's parser wants all overrides in one place, people put flags anywhere."""
    overrides, flags, rest = [], [], iter(words)
    for word in rest:
        if not word.startswith("-"):
            overrides.append(word)
        else:
            flags += [word, next(rest, "")] if word in VALUED_FLAGS else [word]
    return overrides, flags


@cli.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("--split", type=click.Choice(["train", "val", "test"]), default="val", show_default=True)
@click.option("--scorer", metavar="RUN", help="A run from photos to labels that reads the generated photos.")
@click.option("--samples", type=click.IntRange(min=1), default=1, show_default=True, help="Outputs for each input.")
@click.option("--perceptual", is_flag=True, help="LPIPS, FID and KID too (extra `perceptual`).")
@click.option("--data", metavar="DIR", help="The folder of pairs. Default: where it was when the run was trained.")
@CHECKPOINT
@TRUST
@NORMALIZATION
@DROPOUT
@SEED
@DEVICE
def evaluate(runs: tuple[str, ...], split: Any, **options: Any) -> None:
    """Measure runs on a split: per picture and in total, with a page to look at.

    \b
    pix2pix evaluate outputs/facades --split test
    """
    from pix2pix.evaluation.evaluate import evaluate as evaluate_run
    from pix2pix.runs.run import Run

    for run in map(Run, runs):
        result = evaluate_run(run, split=split, **options)
        numbers = "  ".join(f"{name} {value:.4f}" for name, value in result.totals.items())
        click.echo(f"{run.path}  {split}, {len(result.rows)} pairs:  {numbers}")
        if result.ceiling:
            real = "  ".join(f"{name} {value:.4f}" for name, value in result.ceiling.items())
            click.echo(f"  the scorer on the real photos:  {real}")
        for name, reason in result.missing.items():
            click.echo(f"  {name}: not measured, {reason}")
        click.echo(result.folder / "index.html")


@cli.command()
@click.argument("paths", nargs=-1, required=True, metavar="RUN_OR_SWEEP...")
@click.option("--split", type=click.Choice(["train", "val", "test"]), default="val", show_default=True)
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="The page. Default: comparison.html in the sweep."
)
@click.option("--csv", "csv_file", type=click.Path(path_type=Path), help="A table with a row for each run.")
@click.option("--markdown", type=click.Path(path_type=Path), help="A table with mean and spread over seeds.")
@click.option("--pictures", type=click.IntRange(min=0), default=8, show_default=True, help="How many inputs to show.")
@click.option("--scorer", metavar="RUN", help="As in evaluate, for runs that have yet to be evaluated.")
@click.option("--data", metavar="DIR", help="A folder of pairs for all runs. Default: each run's own.")
@click.option("--wandb", "project", metavar="PROJECT", help="Also as a workspace of this W&B project.")
@click.option("--wandb-entity", "entity", help="Its user or team. Default: your own.")
@click.option(
    "--evaluate/--no-evaluate",
    default=True,
    help="Evaluate runs that changed or were evaluated otherwise. Default: yes.",
)
@CHECKPOINT
@TRUST
@DEVICE
def compare(paths: tuple[str, ...], split: Any, output: Path | None, **options: Any) -> None:
    """Compare runs on one page: numbers, curves, settings, the same pictures side by side.

    \b
    pix2pix compare outputs/receptive_field --split test
    """
    from pix2pix.core.atomic_files import write
    from pix2pix.evaluation import comparison_page as comparing
    from pix2pix.runs.find import find_runs

    runs = find_runs(paths)
    which = {name: options[name] for name in ("checkpoint", "data", "trust")}
    if options["evaluate"]:
        comparing.bring_up_to_date(runs, split, scorer=options["scorer"], device=options["device"], **which)
    page = output or (Path(paths[0]) if len(paths) == 1 else Path()) / "comparison.html"
    comparison = comparing.write_page(runs, split, page, pictures=options["pictures"], **which)
    for warning in comparison.warnings():
        click.echo(warning, err=True)
    for file, text in ((options["csv_file"], comparing.as_csv), (options["markdown"], comparing.as_markdown)):
        if file is not None:
            write(file, text(comparison))
    click.echo(f"{comparing.as_markdown(comparison)}\n{page}")
    if options["project"]:
        from pix2pix.evaluation.wandb_workspace import save

        name = ", ".join(Path(path).name for path in paths)
        click.echo(save(comparison, project=options["project"], entity=options["entity"], name=name))


@cli.command()
@click.argument("outputs", type=click.Path(path_type=Path), default=Path("outputs"))
@click.option("--port", type=click.IntRange(0, 65535), default=6006, show_default=True, help="Another one if taken.")
@click.option("--browser/--no-browser", default=True, help="Open a browser. Default: yes.")
def dashboard(outputs: Path, port: int, browser: bool) -> None:
    """Watch all runs of a folder on a local page: TensorBoard, comparisons, evaluations, newest samples.

    \b
    pix2pix dashboard outputs/
    """
    from pix2pix.web.dashboard import serve

    serve(outputs, port=port, open_browser=browser)


@cli.command()
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


@cli.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Where to listen; at 0.0.0.0 every machine of the network can use it.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Default: one that is free.")
@click.option("--browser/--no-browser", default=True, help="Open the page. Default: yes.")
@click.option("--allow-host", "names", multiple=True, metavar="NAME", help="A host name the demo goes by, of a proxy.")
@CHECKPOINT
@TRUST
@NORMALIZATION
@DROPOUT
@SEED
@DEVICE
def demo(runs: tuple[str, ...], **options: Any) -> None:
    """Draw, upload or point a camera, and watch runs translate it live, on a local page.

    \b
    pix2pix demo outputs/facades
    pix2pix demo outputs/receptive_field/*
    """
    from pix2pix.web.demo.serve import serve

    serve(runs, announce=lambda address: click.echo(f"{address}  (Ctrl-C ends the demo)"), **options)


@cli.command()
@click.argument("run")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["onnx", "safetensors", "exported-program", "web"]),
    default="onnx",
    show_default=True,
    help="What to write; `web` is a folder that any web server can host.",
)
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Default: in RUN/exported/.")
@click.option(
    "--pixels",
    type=click.Choice(["uint8", "float"]),
    default="uint8",
    show_default=True,
    help="Pictures as files hold them, 0 to 255; or the network's own values, -1 to 1.",
)
@click.option("--half", is_flag=True, help="Compute in 16 bits; the file is half as large.")
@click.option("--onnxruntime", metavar="DIR", help="For web: the npm package, else downloaded once.")
@click.option("--opset", type=click.IntRange(min=18), help="ONNX operator set. Default: torch's.")
@CHECKPOINT
@TRUST
@NORMALIZATION
@DROPOUT
def export(run: str, kind: str, output: Path | None, **options: Any) -> None:
    """Write the generator of RUN for other programs, and check it against PyTorch.

    \b
    pix2pix export outputs/facades --format onnx -o facades.onnx
    """
    from pix2pix.export.export import export as write_file

    click.echo(write_file(run, kind, output, **options))


@cli.command("import")
@click.argument("file", type=click.Path(path_type=Path), metavar="latest_net_G.pth")
@click.option("--discriminator", type=click.Path(path_type=Path), metavar="latest_net_D.pth", help="D, to train on.")
@click.option("--name", help="Of the run. Default: the folder of the file, as the reference names it.")
@click.argument("settings", nargs=-1, metavar="[SETTING...]")
def import_(file: Path, settings: tuple[str, ...], **options: Any) -> None:
    """Make a run of weights from the authors' PyTorch implementation, to translate, evaluate, export and show.

    Its options are read off the tensors; the rest are settings as `pix2pix train` takes them.

    \b
    pix2pix import checkpoints/facades_label2photo_pretrained/latest_net_G.pth data=facades
    pix2pix import latest_net_G.pth --name mine data.path=my/pairs data.direction=BtoA
    """
    from pix2pix.config import compose
    from pix2pix.export.import_reference import import_reference

    with compose.in_words():
        run = import_reference(file, settings, **options)
    generator = run.config()["generator"]
    arguments = "  ".join(f"{name}={value}" for name, value in generator.items() if name != "_target_")
    click.echo(f"{generator['_target_'].rpartition('.')[2]}  {arguments}\n{run.path}")


cli.add_command(data)


def main() -> None:
    """Runs the command."""
    speak_utf8()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with explained():
        cli()


if __name__ == "__main__":
    main()
