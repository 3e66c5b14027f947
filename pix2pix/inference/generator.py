"""Loads a trained generator from a run directory or a file of weights."""

import functools
import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from pix2pix.config.schema import RunConfig
from pix2pix.core import trust as trust_checks
from pix2pix.core.devices import select_device
from pix2pix.core.errors import first_line
from pix2pix.core.prefetch import pictures_per_batch
from pix2pix.core.trust import Trust
from pix2pix.data.images.decode import Picture, array_to_picture, to_pixels
from pix2pix.data.images.lab import split_lightness
from pix2pix.data.images.palettes import to_displayable
from pix2pix.data.images.picture_files import drop_suffix
from pix2pix.data.images.resize import Size, resize
from pix2pix.data.images.value_range import denormalize, normalize
from pix2pix.data.pair import PairSource
from pix2pix.data.sources.derived import input_derivation
from pix2pix.data.sources.pair_names import pair_name, shorten_name
from pix2pix.data.transforms import PairTransform
from pix2pix.inference.builtin import locate_translator
from pix2pix.inference.mode import Dropout, InferenceMode, Normalization
from pix2pix.inference.packed_convolutions import pack_convolutions
from pix2pix.inference.rebuild import build_network
from pix2pix.models.input_sizes import round_up
from pix2pix.runs.run import DEFAULT_CHECKPOINT, Run
from pix2pix.runs.weight_files import read_weights

log = logging.getLogger(__name__)

AVERAGE = "average.module."  # prefix of the moving average's weights

ROWS_PER_STEP = 256  # of a label map: comparing every pixel with every class takes memory


@dataclass(frozen=True)
class TrainedGenerator:
    """A generator on its device, its test-time settings and its origin."""

    config: RunConfig
    generator: nn.Module
    inference: InferenceMode
    checkpoint: Path
    step: int
    device: torch.device
    half: bool = False
    trust: tuple[str, ...] = ()  # modules outside pix2pix whose classes the configuration may build

    def generate(self, source: Tensor, names: str | Sequence[str]) -> Tensor:
        """Maps source (B, C, H, W) in [-1, 1] to pictures (B, C, H, W) in [-1, 1] on the CPU.

        `names`, one for all pictures or one for each, select the dropout noise.
        """
        with self.precision():
            output = self.inference.generate(self.generator, source.to(self.device), names).float().cpu()
        return to_displayable(output, self.config.data.target_palette, source.cpu())

    def pack(self) -> None:
        """Makes the generator faster on a CPU, for good. It can no longer be saved, exported or moved afterwards."""
        data, multiple = self.config.data, getattr(self.generator, "multiple", 1)
        height, width = (round_up(side, multiple) for side in data.shape)
        shape = (pictures_per_batch(height, width), data.input_channels, height, width)
        try:
            pack_convolutions(self.generator, shape)
        except (RuntimeError, TypeError) as error:
            raise ValueError(
                f"{self.checkpoint}: its generator does not take the pictures of its configuration, {shape} as batch, "
                f"channels, height and width ({first_line(error)}). Copy the file again."
            ) from error

    def pair_name(self, file: Path) -> str:
        """The name of a source file's pair, which selects the same dropout noise as in an evaluation."""
        return shorten_name(pair_name(drop_suffix(file.name), *self.config.data.source_image_spec.folders[:1]))

    def open_pairs(self, path: str | Path | None = None) -> PairSource:
        """Opens the pairs that the configuration names, in the folder `path` if they have moved.

        Raises:
            ValueError: for a class that is not trusted, or arguments that do not fit it.
            OSError: when the pairs do not exist.
        """
        source = self.config.data.tolerant_source_at(path)
        return trust_checks.build_trusted(source, "data.source", PairSource, source=self.checkpoint, trust=self.trust)

    def build_transform(self) -> PairTransform:
        """Builds the transform from pairs to the generator's input. Raises ValueError as `open_pairs` does."""
        transform = self.config.data.transform
        return trust_checks.build_trusted(
            transform, "data.transform", PairTransform, source=self.checkpoint, trust=self.trust
        )

    def precision(self) -> AbstractContextManager[Any]:
        """The autocast context: float16 on a GPU or bfloat16 on a CPU if `half`, otherwise disabled."""
        return torch.autocast(self.device.type, _half_dtype(self.device), enabled=self.half)

    def read_source(
        self, *pictures: Picture, size: Size | None = None, derivation: str | None = None, name: str = "picture"
    ) -> Tensor:
        """Reads a picture as an evaluation reads a source: (C, H, W) with the pixel type of the files.

        Args:
            pictures: a Pillow picture, or an array (H, W) or (H, W, C); several, in order, for a run whose source joins
                several folders.
            size: height and width to resize it to; None keeps its own.
            derivation: for a run whose inputs are derived from photos: the name that places holes and noise. The
                picture is a photo then; with None it is an input already.
            name: the picture's name in error messages.

        Raises:
            ValueError: for a picture whose depth or channels differ from the training data.
        """
        data = self.config.data
        derive = input_derivation(data.operation, data.source) if derivation is not None else None
        if data.has_lab_targets or derive:
            photo, *others = pictures
            if others:
                raise ValueError(f"{name}: the input is one photo, not {len(pictures)} pictures.")
            pixels = to_pixels(photo, 3, name=name)
        else:
            pixels = data.source_image_spec.combine(pictures, name)
            data.source_encoding.require_range(pixels, "source")
        if size is not None:
            pixels = data.source_encoding.resize(pixels, functools.partial(resize, size=size))
        return derive(pixels, derivation or "") if derive else pixels

    def encode_source(self, pixels: Tensor) -> Tensor:
        """Converts what `read_source` returns, or a part of it, to the generator's input, (C, H, W) in [-1, 1]."""
        data = self.config.data
        if data.has_lab_targets:
            encoded = normalize(split_lightness(pixels)[0])
        else:
            encoded = data.source_encoding.encode(pixels[None])[0]
        if len(encoded) != data.input_channels:
            raise ValueError(
                f"{self.checkpoint}: its generator takes {data.input_channels} channels (data.input_channels), but its "
                f"data settings make {len(encoded)} of a picture. A transform of your own adds channels in training "
                "and evaluate only; for translate, add them in the generator."
            )
        return encoded

    def to_picture(self, output: Tensor) -> Picture:
        """Converts an output of `generate`, (C, H, W), to a picture with the depth and range of the targets.

        A label map becomes a Pillow picture with a palette, whose pixels are the classes. Pixels that Pillow cannot
        hold are returned as an array (H, W, C).
        """
        if (palette := self.config.data.target_palette) is not None:
            bands = [palette.classify(band) for band in output.split(ROWS_PER_STEP, dim=1)]
            picture = Image.fromarray(torch.cat(bands).to(torch.uint8).numpy(), "P")
            picture.putpalette(palette.pixels.flatten().tolist())
            return picture
        data = self.config.data
        return array_to_picture(denormalize(output, data.output_depth, data.coded_target_range))


def load_generator(
    path: str | Path,
    *,
    checkpoint: str = DEFAULT_CHECKPOINT,
    device: str = "auto",
    half: bool = False,
    normalization: Normalization | None = None,
    dropout: Dropout | None = None,
    seed: int | None = None,
    trust: Trust = (),
) -> TrainedGenerator:
    """Loads the generator of a run; its moving average if the run kept one.

    Args:
        path: a run directory, a checkpoint or `.safetensors` file, or the name of a built-in translator
            (`pix2pix models list`).
        checkpoint: checkpoint of a run: `last`, `best`, `ema` (moving average in the last one), `epoch=N`, or a path.
        device: `auto` (a GPU if there is one), `cpu`, `cuda`, `cuda:1`, `mps`.
        half: compute in half precision.
        normalization, dropout, seed: replace the run's test-time settings; None keeps them.
        trust: modules outside pix2pix whose classes the configuration may build; see `pix2pix.core.trust`.

    Raises:
        FileNotFoundError: when the run or checkpoint does not exist.
        ValueError: when the file is damaged, is no checkpoint of pix2pix, or names classes that are not trusted.
    """
    file, target = resolve_checkpoint(path, checkpoint), select_device(device)
    if checkpoint not in {DEFAULT_CHECKPOINT, "ema"} and not Path(path).is_dir():
        log.warning("%s: is one file, and no run to choose a checkpoint of: %s has no effect.", path, checkpoint)
    content = read_weights(file)
    if checkpoint == "ema" and not select_prefix(AVERAGE, content["state_dict"]):
        raise ValueError(f"{file}: holds no moving average. Train with ema_decay=0.999, or choose last or best.")
    config = content["config"]
    state = select_prefix(AVERAGE, content["state_dict"]) or select_prefix("generator.", content["state_dict"])
    generator = build_network(config.generator, "generator", state, file, trust)
    if half:
        _cast_convolutions(generator, _half_dtype(target))
    inference = _inference_mode(config, normalization=normalization, dropout=dropout, seed=seed)
    modules = (trust,) if isinstance(trust, str) else tuple(trust)
    return TrainedGenerator(
        config, generator.to(target).eval(), inference, file, content["global_step"], target, half, modules
    )


def _inference_mode(config: RunConfig, **choices: Any) -> InferenceMode:
    """The test-time settings of a configuration, with the choices that are not None."""
    overrides = {name: value for name, value in choices.items() if value is not None}
    return InferenceMode(**config.inference.model_dump() | overrides)


def _half_dtype(device: torch.device) -> torch.dtype:
    return torch.float16 if device.type == "cuda" else torch.bfloat16


def _cast_convolutions(generator: nn.Module, dtype: torch.dtype) -> None:
    """Casts convolution weights once; autocast would cast them to the same values in every forward pass."""
    for module in generator.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.to(dtype)


def resolve_checkpoint(path: str | Path, which: str = DEFAULT_CHECKPOINT) -> Path:
    """The file that `load_generator` reads. Raises FileNotFoundError when the run or checkpoint does not exist."""
    location = locate_translator(path)
    if location.is_file():
        return location
    run = Run(location)
    run.config()  # raises FileNotFoundError if this is no run directory
    return run.checkpoint("last" if which == "ema" else which)


def read_state(file: Path) -> dict[str, Tensor]:
    """Reads the weights of a checkpoint, of all networks. Raises ValueError for another kind of file."""
    return read_weights(file)["state_dict"]


def select_prefix(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The part of a state dict below `prefix`, without the prefix."""
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
