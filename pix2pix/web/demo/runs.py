"""The runs in the demo: their names, their translators and the data that the page needs."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from pix2pix.config.identity import Config
from pix2pix.data.coding import source_side
from pix2pix.data.images.palettes import UNLABELLED, Palette, PaletteChoice
from pix2pix.inference.builtin import BUILTIN, locate_translator
from pix2pix.inference.hub import find_model_name, is_hub_address
from pix2pix.inference.translator import Translator, load_translator
from pix2pix.runs.find import find_runs

log = logging.getLogger(__name__)

SHOWABLE = {"L", "P", "RGB", "RGBA"}  # P: label maps
LARGEST_SIDE = 4096
BY_FILE = {known.file: known for known in BUILTIN.values()}
Kind = Literal["labels", "edges", "photo"]
PAINTS = {"black": "#16161a", "white": "#ffffff", "red": "#d7352b", "yellow": "#f2b632", "green": "#3d9a50"}
PAINTS |= {"blue": "#2f6fd0", "brown": "#7a5136", "sky": "#9cc7ea"}


@dataclass(frozen=True)
class LoadedRun:
    """One run on show."""

    name: str
    path: Path
    translator: Translator

    @property
    def config(self) -> Config:
        """The configuration it was trained with."""
        return self.translator.trained.config

    @property
    def size(self) -> tuple[int, int]:
        """Width and height it was trained at."""
        return self.config["data"]["width"], self.config["data"]["height"]

    def translate(self, picture: Image.Image, seed: int) -> Image.Image:
        """The translation of a picture at its own size, under the noise of `seed`."""
        return self.translator(picture, seed=seed)

    def translate_drawing(self, drawing: Image.Image, seed: int) -> Image.Image:
        """The translation of a drawing at the size of the training; label maps keep their colours when scaled."""
        labels = source_labels(self.config) is not None
        resampling = Image.Resampling.NEAREST if labels else Image.Resampling.BICUBIC
        return self.translate(drawing.resize(self.size, resampling), seed)

    def description(self) -> dict[str, Any]:
        """What the page and `GET /runs` tell about it."""
        width, height = self.size
        data, trained = self.config["data"], self.translator.trained
        return {
            "name": self.name,
            "data": data["name"],
            "direction": data["direction"],
            "width": width,
            "height": height,
            "step": trained.step,
            "checkpoint": trained.checkpoint.name,
            "noise": bool(trained.inference.noise_dropouts(trained.generator)),
        }


def source_labels(config: Config) -> PaletteChoice | None:
    """The palette of the sources, where these are label maps."""
    data = config["data"]
    return data["palette"] if data.get("labels") == ("A" if data["direction"] == "AtoB" else "B") else None


def load_runs(paths: Sequence[str | Path], **options: Any) -> list[LoadedRun]:
    """Loads runs, the runs of sweeps, and files of weights, each under a name of its own.

    Args:
        paths: what to show; among several, what holds no run (logs, pages of a sweep) is passed over.
        options: those of `load_translator`.

    Raises:
        FileNotFoundError: when none of the paths holds a run.
        ValueError: when the runs do not take the same kind of input.
    """
    found = [place for path in paths for place in _resolve_paths(Path(path), alone=len(paths) == 1)]
    if not found:
        raise FileNotFoundError(f"{', '.join(map(str, paths))}: no run among these. Give what `pix2pix train` made.")
    names = _unique_names(found)
    if len(found) == 1 and (known := BY_FILE.get(found[0])):
        names = [known.name]
    names = [find_model_name(place) or name for name, place in zip(names, found, strict=True)]
    shown = []
    for name, place in zip(names, found, strict=True):
        log.info("loading %s", place)
        shown.append(_require_showable(LoadedRun(name, place, load_translator(place, **options))))
    _require_one_kind(shown)
    return shown


def _require_showable(exhibit: LoadedRun) -> LoadedRun:
    """The exhibit, warm. Raises ValueError when it takes or makes what a page cannot show."""
    if max(exhibit.size) > LARGEST_SIDE:
        raise ValueError(
            f"{exhibit.path}: its pictures are {exhibit.size}, the demo draws up to {LARGEST_SIDE} pixels."
        )
    try:
        result = exhibit.translate(Image.new("RGB", exhibit.size), 0)
    except ValueError as error:
        raise ValueError(f"{exhibit.path}: the demo draws in 8 bits and grey or colour; {error}") from error
    if getattr(result, "mode", None) not in SHOWABLE:
        raise ValueError(f"{exhibit.path}: its translations are no pictures of 8 bits, which is what a page can show.")
    return exhibit


def _resolve_paths(given: Path, *, alone: bool) -> list[Path]:
    path = locate_translator(given) if alone or str(given) in BUILTIN or is_hub_address(given) else given
    if path.suffix in {".ckpt", ".safetensors"} and path.is_file():
        return [path]
    if not alone and path.exists() and not (path.is_dir() and any(path.rglob("config.yaml"))):
        return []
    return [run.path for run in find_runs([path])]


def _unique_names(paths: Sequence[Path]) -> list[str]:
    """As short as tells them apart: of the directories of a sweep what differs, else as much of the path as needed."""
    tails = [["/".join(path.resolve().parts[-parts:]) for path in paths] for parts in range(1, 5)]
    numbered = [f"{number}: {path}" for number, path in enumerate(paths)]
    return next(names for names in (_settings(tails[0]), *tails, numbered) if len(set(names)) == len(paths))


def _settings(directories: Sequence[str]) -> list[str]:
    """`a=1,b=2` and `a=1,b=3` as `2` and `3`; nothing where a directory is not named so."""
    if len(directories) < 2 or not all("=" in name for name in directories):
        return []
    settings = [name.split(",") for name in directories]
    common = set.intersection(*map(set, settings))
    return [", ".join(part.partition("=")[2] for part in each if part not in common) for each in settings]


def _require_one_kind(shown: Iterable[LoadedRun]) -> None:
    if len({repr(_input_kind(exhibit.config)) for exhibit in shown}) > 1:
        names = ", ".join(exhibit.name for exhibit in shown)
        raise ValueError(f"{names}: these take different inputs, one drawing cannot serve them. Start a demo for each.")


def _input_kind(config: Config) -> tuple[Any, ...]:
    """What a run takes, in words alone: palettes are told apart by what was chosen."""
    side = source_side(config)
    return source_labels(config), side.channels, side.depth, config["data"].get("operation")


def describe_canvas(shown: Sequence[LoadedRun], drawn_lines: bool) -> dict[str, Any]:
    """The canvas that is made for the data: its kind, its size, its brushes by name, the colour of its paper."""
    config = shown[0].config
    palette = source_labels(config)
    kind: Kind = "labels" if palette else "edges" if drawn_lines else "photo"
    brushes = {"ink": "#000000"} if kind == "edges" else _colours(palette) if palette else PAINTS
    return {
        "kind": kind,
        "operation": config["data"].get("operation"),
        "width": max_size(shown)[0],
        "height": max_size(shown)[1],
        "brushes": [{"name": name, "colour": colour} for name, colour in brushes.items()],
        "paper": _background(brushes) if kind == "labels" else "#ffffff",
    }


def max_size(shown: Sequence[LoadedRun]) -> tuple[int, int]:
    """The width and height that none of the runs exceeds."""
    widths, heights = zip(*(exhibit.size for exhibit in shown), strict=True)
    return max(widths), max(heights)


def _colours(palette: PaletteChoice) -> dict[str, str]:
    known = Palette(palette)
    return {name: f"#{bytes(rgb.tolist()).hex()}" for name, rgb in zip(known.classes, known.pixels, strict=True)}


def _background(brushes: dict[str, str]) -> str:
    """The canvas background: the `background` or `unlabelled` class if there is one, else the first class."""
    return next((brushes[name] for name in ("background", UNLABELLED) if name in brushes), next(iter(brushes.values())))
