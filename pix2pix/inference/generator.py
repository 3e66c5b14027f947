"""Loads a trained generator from a run directory or a file of weights."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from pix2pix.config.identity import Config
from pix2pix.core import trust as trusted
from pix2pix.core.trust import Trust
from pix2pix.data.coding import coded_palettes, palette_of, source_side, target_depth
from pix2pix.data.images.decode import Picture, opened, picture_of, pixels_of
from pix2pix.data.images.lab import split_lightness
from pix2pix.data.images.palettes import Palette, visible
from pix2pix.data.images.value_range import scale, unscale
from pix2pix.data.pair import PairSource
from pix2pix.data.sources.folder_layout import pair_name
from pix2pix.data.transforms import Coding, PairTransform
from pix2pix.inference.builtin import locate_translator
from pix2pix.inference.carried import build_generator, require_complete
from pix2pix.inference.mode import Dropout, InferenceMode, Normalization
from pix2pix.runs.run import Run
from pix2pix.runs.safetensors import read_weights

AVERAGE = "average.module."  # before the names of the moving average's weights

ROWS_AT_A_TIME = 256  # of a large label map: comparing a pixel with every class takes memory


@dataclass(frozen=True)
class TrainedGenerator:
    """A generator on its device, how it is run, and where it came from."""

    config: Config
    generator: nn.Module
    inference: InferenceMode
    checkpoint: Path
    step: int
    device: torch.device
    half: bool = False
    trust: tuple[str, ...] = ()  # modules whose classes may be built of its configuration

    @property
    def palette(self) -> Palette | None:
        """The palette of the data's label maps, where they have one."""
        return palette_of(self.config)

    @property
    def source_palette(self) -> Palette | None:
        """The palette by which sources are coded, with a channel for each class; None for pictures."""
        return coded_palettes(self.config)[0]

    @property
    def target_palette(self) -> Palette | None:
        """Likewise for targets."""
        return coded_palettes(self.config)[1]

    def generate(self, source: Tensor, names: str | Sequence[str]) -> Tensor:
        """Maps source (B, C, H, W) in [-1, 1] to pictures, on the CPU.

        `names`, one for all pictures or one for each, choose the dropout noise.
        """
        with self.precision():
            output = self.inference.generate(self.generator, source.to(self.device), names).float().cpu()
        return visible(output, self.target_palette, source.cpu())

    def pair_name(self, file: Path) -> str:
        """What a source file's pair is called: by that name it has the noise that the pair has in an evaluation."""
        return pair_name(file.stem, *source_side(self.config).folders[:1])

    def open_pairs(self, path: str | Path | None = None) -> PairSource:
        """The pairs that its configuration names, in the folder `path` where they are no longer in theirs.

        Raises:
            ValueError: for a class that no file may ask for, or arguments that do not fit it.
            OSError: when the pairs are not there.
        """
        node = self.config["data"]["pairs"]
        moved = {**node, "path": str(path)} if path is not None else node
        return trusted.build(moved, "data.pairs", PairSource, source=self.checkpoint, trust=self.trust)

    def build_transform(self) -> PairTransform:
        """What brings the pairs to the generator. Raises ValueError as `pair_source` does."""
        node = self.config["data"]["transform"]
        return trusted.build(node, "data.transform", PairTransform, source=self.checkpoint, trust=self.trust)

    def precision(self) -> AbstractContextManager[Any]:
        """Half precision where it was asked for: float16 on a GPU, bfloat16 on a CPU."""
        return torch.autocast(self.device.type, _half_dtype(self.device), enabled=self.half)

    def read_source(self, *pictures: Picture | Path, name: str = "picture") -> Tensor:
        """A picture as the generator takes it: (C, H, W) in [-1, 1], at its own size.

        Args:
            pictures: a file, a Pillow picture, or an array (H, W) or (H, W, C); several where the generator takes
                several inputs joined, in their order.
            name: of the picture, for what is said about it.

        Raises:
            ValueError: for a file that cannot be read, or has another depth or other channels than those trained on.
        """
        data, transform = self.config["data"], self.config["data"]["transform"]
        images = [opened(picture) if isinstance(picture, Path) else picture for picture in pictures]
        name = str(pictures[0]) if isinstance(pictures[0], Path) else name
        if data["target_channels"] == 2:
            return scale(split_lightness(pixels_of(images[0], 3, name=name))[0])
        coding = Coding(transform.get("source_palette"), transform.get("source_range"))
        pixels = source_side(self.config).of(images, name)
        coding.require_range(pixels, "source")
        return coding(pixels[None])[0]

    def to_picture(self, output: Tensor) -> Picture:
        """An output of `generate`, (C, H, W), as a picture of the kind that the targets were.

        Label maps come back as a picture with a palette, whose pixels are the classes; else pixels have the depth and
        the range of the targets. It is an array (H, W, C) where Pillow has no such pictures.
        """
        if (palette := self.target_palette) is not None:
            bands = [palette.read(band) for band in output.split(ROWS_AT_A_TIME, dim=1)]
            labels = Image.fromarray(torch.cat(bands).to(torch.uint8).numpy(), "P")
            labels.putpalette(palette.pixels.flatten().tolist())
            return labels
        limits = self.config["data"]["transform"].get("target_range")
        return picture_of(unscale(output, target_depth(self.config), limits))

    @property
    def suffix(self) -> str:
        """The format of files that hold what `picture` returns: `.png`, or `.tif` for what PNG cannot hold."""
        fits = target_depth(self.config) in {8, 16} and self.config["data"]["target_channels"] <= 4
        return ".png" if fits else ".tif"

    @property
    def exceeds_png(self) -> bool:
        """Whether a PNG of 8 bits and few channels, over the whole range of values, is less than an output."""
        data = self.config["data"]
        ranged = data["transform"].get("target_range") is not None
        return target_depth(self.config) != 8 or data["target_channels"] > 4 or ranged


def load_generator(
    path: str | Path,
    *,
    checkpoint: str = "best",
    device: str = "auto",
    half: bool = False,
    normalization: Normalization | None = None,
    dropout: Dropout | None = None,
    seed: int | None = None,
    trust: Trust = (),
) -> TrainedGenerator:
    """Reads the generator of a run; its moving average where the run kept one.

    Args:
        path: a run directory, a checkpoint or `.safetensors` file, which carries its configuration, or the name of a
            built-in translator (`pix2pix models list`).
        checkpoint: of the run: `best`, `last`, `ema` (the moving average in the last one), `epoch=N`, or a path.
        device: `auto` (a GPU if there is one), `cpu`, `cuda`, `cuda:1`, `mps`.
        half: compute in half precision.
        normalization: in place of the run's own test-time choice; likewise `dropout` and `seed`.
        trust: modules beside pix2pix whose classes the configuration may have built; see `pix2pix.core.trust`.

    Raises:
        FileNotFoundError: when there is no such run or checkpoint.
        ValueError: when the file is damaged, no checkpoint of ours, or asks to construct what no file may ask for.
    """
    file = resolve_checkpoint(path, checkpoint)
    place = _select_device(device)
    content = read_weights(file, place)
    if checkpoint == "ema" and not _select_prefix(AVERAGE, content["state_dict"]):
        raise ValueError(f"{file}: keeps no moving average. Train with ema_decay=0.999, or choose best or last.")
    config = content["config"]
    require_complete(config, file)
    generator = build_generator(config, _generator_state(content["state_dict"]), file, trust)
    if half:
        _cast_convolutions(generator, _half_dtype(place))
    chosen = {"normalization": normalization, "dropout": dropout, "seed": seed}
    inference = InferenceMode(
        **config["inference"] | {key: value for key, value in chosen.items() if value is not None}
    )
    modules = (trust,) if isinstance(trust, str) else tuple(trust)
    return TrainedGenerator(
        config, generator.to(place).eval(), inference, file, content["global_step"], place, half, modules
    )


def _half_dtype(device: torch.device) -> torch.dtype:
    return torch.float16 if device.type == "cuda" else torch.bfloat16


def _cast_convolutions(generator: nn.Module, kind: torch.dtype) -> None:
    """Casts now what autocast would cast in every run, to the same numbers."""
    for module in generator.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.to(kind)


def resolve_checkpoint(path: str | Path, which: str = "best") -> Path:
    """The file that `load` reads. Raises FileNotFoundError when there is no such run or checkpoint."""
    place = locate_translator(path)
    if place.is_file():
        return place
    run = Run(place)
    run.config()  # says so when this is no run
    return run.checkpoint("last" if which == "ema" else which)


def _select_device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device {name!r}: torch sees no CUDA device here. Use cpu or auto.")
    return device


def read_state(file: Path) -> dict[str, Tensor]:
    """The weights in a checkpoint of ours. Raises ValueError when it is none."""
    return read_weights(file, torch.device("cpu"))["state_dict"]


def _generator_state(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return _select_prefix(AVERAGE, state) or _select_prefix("generator.", state)


def _select_prefix(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
