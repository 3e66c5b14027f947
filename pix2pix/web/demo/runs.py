"""The runs in the demo: their names, their translators and the data that the page needs."""

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from pix2pix.config.schema import RunConfig
from pix2pix.data.images.class_colours import UNLABELLED, PaletteChoice
from pix2pix.data.images.palettes import Palette
from pix2pix.data.images.resize import Size, flip_size
from pix2pix.data.settings import DataSettings
from pix2pix.evaluation.short_labels import shorten_setting
from pix2pix.inference.builtin import BUILTIN, locate_translator
from pix2pix.inference.describe import describe_component, describe_network, find_licence
from pix2pix.inference.hub import find_model_name, is_hub_address
from pix2pix.inference.translator import Translator, load_translator
from pix2pix.runs.find import find_runs
from pix2pix.runs.run import Run
from pix2pix.web.demo.derivation import describe_derivation

log = logging.getLogger(__name__)

SHOWABLE = {"L", "P", "RGB", "RGBA"}  # modes; P: label maps
LARGEST_SIDE = 4096
BY_FILE = {known.file: known for known in BUILTIN.values()}
STATISTICS = {"batch": "each picture", "running": "the training"}  # in batch norm
Kind = Literal["labels", "edges", "photo"]
PAINTS = {"black": "#16161a", "white": "#ffffff", "red": "#d7352b", "yellow": "#f2b632", "green": "#3d9a50"}
PAINTS |= {"blue": "#2f6fd0", "brown": "#7a5136", "sky": "#9cc7ea"}
GREYS = {"black": "#000000", "dark grey": "#404040", "grey": "#808080", "light grey": "#c0c0c0", "white": "#ffffff"}


@dataclass(frozen=True)
class LoadedRun:
    """A run of the demo with its translator."""

    name: str
    path: Path
    translator: Translator

    @property
    def config(self) -> RunConfig:
        """The configuration of the run."""
        return self.translator.trained.config

    @property
    def size(self) -> Size:
        """Height and width of the training pictures."""
        return self.config.data.shape

    def translate(self, picture: Image.Image, seed: int, *, derive: bool = True) -> Image.Image:
        """Translates a picture as `pix2pix translate` does, under the noise of `seed`."""
        return self.translator(picture, seed=seed, derive=derive)

    def translate_drawing(self, drawing: Image.Image, seed: int) -> Image.Image:
        """Translates a drawing, which is an input already, at the training size.

        Label maps are scaled without new colours.
        """
        is_label_map = self.config.data.label_map_side == "source"
        resampling = Image.Resampling.NEAREST if is_label_map else Image.Resampling.BICUBIC
        return self.translator(drawing.resize(flip_size(self.size), resampling), seed=seed, scale="own", derive=False)

    def description(self) -> dict[str, Any]:
        """The description of the run on the page and in `GET /runs`."""
        height, width = self.size
        data, trained = self.config.data, self.translator.trained
        return {
            "name": self.name,
            "data": data.name,
            "direction": data.direction,
            "width": width,
            "height": height,
            "step": trained.step,
            "checkpoint": trained.checkpoint.name,
            "noise": bool(trained.inference.noise_dropouts(trained.generator)),
            "about": self._describe(),
        }

    def _describe(self) -> dict[str, str]:
        """What a reader of the page may want to know of the run, by short titles."""
        config, trained = self.config, self.translator.trained
        height, width = self.size
        inference, log = trained.inference, self._provenance()
        best = [f"{name} {value:.4g}" for name, value in log.get("best", {}).items() if isinstance(value, int | float)]
        about = {
            "Data": f"{config.data.name}, {config.data.direction[0]} to {config.data.direction[-1]}",
            "Training": f"{trained.step:,} steps of batch {config.data.batch_size}, at {width}x{height} pixels",
            "Generator": describe_network(trained),
            "Discriminator": describe_component(config.discriminator) if config.discriminator else "",
            "Objective": describe_component(
                {name: value for name, value in config.objective.items() if value or value is False}  # weights of 0 go
            ),
            "Weights": trained.checkpoint.name,
            "Best validation": ", ".join(best),
            "At test time": f"statistics of {STATISTICS[inference.normalization]}, dropout {inference.dropout}",
            "Terms": find_licence(config, None, log.get("imported", {})).words,
        }
        return {title: text for title, text in about.items() if text}

    def _provenance(self) -> dict[str, Any]:
        """What its directory records; nothing of a file of weights, or if the record is damaged."""
        with suppress(ValueError, OSError):
            return Run(self.path).provenance() if self.path.is_dir() else {}
        return {}


def load_runs(paths: Sequence[str | Path], **options: Any) -> list[LoadedRun]:
    """Loads runs, the runs of sweeps, and files of weights, each under a unique name.

    Args:
        paths: runs, sweeps or files; of several paths, those without a run (logs, pages of a sweep) are skipped.
        options: options of `load_translator`.

    Raises:
        FileNotFoundError: when none of the paths holds a run.
        ValueError: when the runs take different kinds of input, or the demo cannot show their pictures.
    """
    files = [file for path in paths for file in _resolve_paths(Path(path), is_only=len(paths) == 1)]
    if not files:
        raise FileNotFoundError(
            f"{', '.join(map(str, paths))}: no run in these paths. Give a directory that `pix2pix train` made."
        )
    names = _unique_names(files)
    if len(files) == 1 and (builtin := BY_FILE.get(files[0])):
        names = [builtin.name]
    names = [find_model_name(file) or name for name, file in zip(names, files, strict=True)]
    runs = []
    for name, file in zip(names, files, strict=True):
        log.info("loading %s", file)
        run = LoadedRun(name, file, load_translator(file, **options))
        _require_showable(run)
        runs.append(run)
    _require_one_kind(runs)
    return runs


def _require_showable(run: LoadedRun) -> None:
    """Translates once, which also warms up. Raises ValueError for pictures that a page cannot show."""
    if max(run.size) > LARGEST_SIDE:
        raise ValueError(
            f"{run.path}: its pictures are {run.size[0]}x{run.size[1]}; the demo accepts sides of up to {LARGEST_SIDE} "
            "pixels."
        )
    try:
        result = run.translate_drawing(Image.new("RGB", flip_size(run.size)), 0)
    except ValueError as error:
        raise ValueError(f"{run.path}: the demo needs 8-bit grey or colour pictures; {error}") from error
    if getattr(result, "mode", None) not in SHOWABLE:
        raise ValueError(f"{run.path}: its outputs are not 8-bit pictures, which a page needs.")


def _resolve_paths(path: Path, *, is_only: bool) -> list[Path]:
    """The runs or the file of weights at a path; none for a path without runs if there are others."""
    if is_only or str(path) in BUILTIN or is_hub_address(path):
        path = locate_translator(path)
    if path.suffix in {".ckpt", ".safetensors"} and path.is_file():
        return [path]
    if not is_only and path.exists() and not (path.is_dir() and any(path.rglob("config.yaml"))):
        return []
    return [run.path for run in find_runs([path])]


def _unique_names(paths: Sequence[Path]) -> list[str]:
    """Short unique names: the differing settings of a sweep's directories, else as much of the paths as needed."""
    # The first that makes all names different: settings that differ, the last one to four parts of the paths, numbers.
    tails = [["/".join(path.resolve().parts[-parts:]) for path in paths] for parts in range(1, 5)]
    numbered = [f"{number}: {path}" for number, path in enumerate(paths)]
    return next(names for names in (_settings(tails[0]), *tails, numbered) if len(set(names)) == len(paths))


def _settings(directories: Sequence[str]) -> list[str]:
    """What differs: `pixel` and `patch16` for `discriminator=...`, `seed=2` for a number; empty for other names."""
    if len(directories) < 2 or not all("=" in name for name in directories):
        return []
    settings = [name.split(",") for name in directories]
    common = set.intersection(*map(set, settings))
    return [", ".join(shorten_setting(*part.split("=", 1)) for part in each if part not in common) for each in settings]


def take_different_inputs(folder: Path) -> bool:
    """Whether a folder holds runs that cannot share a drawing, by their configurations."""
    if not folder.is_dir():
        return False
    kinds = set()
    for run in find_runs([folder]):
        with suppress(ValueError, OSError):  # a run that cannot be read is reported where it is loaded
            kinds.add(repr(_input_kind(run.config().data)))
    return len(kinds) > 1


def _require_one_kind(runs: Iterable[LoadedRun]) -> None:
    if len({repr(_input_kind(run.config.data)) for run in runs}) > 1:
        names = ", ".join(run.name for run in runs)
        raise ValueError(
            f"{names}: these runs take different inputs and cannot share a drawing. Start a demo for each."
        )


def _input_kind(data: DataSettings) -> tuple[Any, ...]:
    """The kind of input of a run, comparable between runs."""
    spec = data.source_image_spec
    return data.source_label_choice, spec.channels, spec.depth, data.operation


def describe_canvas(runs: Sequence[LoadedRun], is_line_drawing: bool) -> dict[str, Any]:
    """The canvas for the data: its kind, size, brushes and background colour."""
    data = runs[0].config.data
    palette = data.source_label_choice
    kind: Kind = "labels" if palette else "edges" if is_line_drawing or data.operation == "edges" else "photo"
    height, width = max_size(runs)
    is_grey = kind == "photo" and (data.operation in ("lab", "grayscale") or data.source_image_spec.channels == 1)
    paints = GREYS if is_grey else PAINTS
    brushes = {"ink": "#000000"} if kind == "edges" else _colours(palette) if palette else paints
    return {
        "kind": kind,
        "operation": data.operation,
        "isGrey": is_grey,  # the run sees lightness alone
        "derivation": describe_derivation(data, (height, width)),
        "width": width,
        "height": height,
        "brushes": [{"name": name, "colour": colour} for name, colour in brushes.items()],
        "paper": _background(brushes) if kind == "labels" else "#ffffff",
    }


def max_size(runs: Sequence[LoadedRun]) -> Size:
    """The largest height and width of the runs."""
    heights, widths = zip(*(run.size for run in runs), strict=True)
    return max(heights), max(widths)


def _colours(palette: PaletteChoice) -> dict[str, str]:
    classes = Palette(palette)
    return {name: f"#{bytes(rgb.tolist()).hex()}" for name, rgb in zip(classes.classes, classes.pixels, strict=True)}


def _background(brushes: dict[str, str]) -> str:
    """The canvas background: the `background` or `unlabelled` class if there is one, else the first class."""
    return next((brushes[name] for name in ("background", UNLABELLED) if name in brushes), next(iter(brushes.values())))
