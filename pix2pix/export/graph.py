"""The generator as one pure function of tensors, which exported files compute."""

import copy
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.export import Dim

from pix2pix.config.identity import Config, without_whereabouts
from pix2pix.data.images.lab import split_lightness
from pix2pix.data.images.palettes import Palette, to_displayable
from pix2pix.data.transforms import encode_pixels
from pix2pix.inference.generator import TrainedGenerator
from pix2pix.inference.mode import has_custom_forward

Pixels = Literal["uint8", "float"]
MIN_SIDE = 32  # pixels


class NoiseInput(NamedTuple):
    """The noise of one dropout: uniform in [0, 1), (B, channels, H / stride, W / stride); below `keep` is kept.

    Of a dropout of whole channels only the first number of each channel counts.
    """

    name: str
    channels: int
    stride: int
    keep: float
    whole_channels: bool = False

    def mask(self, noise: Tensor, x: Tensor) -> Tensor:
        """What the input makes of the dropout's x: 1 where it is kept, else 0."""
        kept = (noise < self.keep).to(x)
        return kept[:, :, :1, :1].reshape(x.shape) if self.whole_channels else kept


class InferenceGraph(nn.Module):
    """Maps pictures and the noise of each dropout to pictures.

    With `pixels="uint8"` pictures are as files hold them, uint8 (B, 1, 3 or 4, H, W): scaling, label palettes and Lab
    are inside. With `float` they are the network's own, float32 (B, C, H, W) in [-1, 1]. H and W are multiples of
    `multiple`. Every picture is normalised by itself, whatever else is in its batch.

    Args:
        trained: the generator and its test-time choices; copied.
        pixels: see above.
        half: compute in float16; what goes in and out stays as it is.
    """

    def __init__(self, trained: TrainedGenerator, *, pixels: Pixels = "uint8", half: bool = False) -> None:
        super().__init__()
        self.generator = copy.deepcopy(trained.generator).cpu().eval()
        self.inference, self.pixels, self.half_precision = trained.inference, pixels, half
        self.multiple: int = getattr(trained.generator, "multiple", 1)
        data = trained.config["data"]
        self.from_lightness = data["target_channels"] == 2
        self.source_palette, self.palette = trained.source_palette, trained.target_palette
        if pixels == "uint8":
            _require_bytes(data)
        seen = len(self.source_palette) if self.source_palette else data["source_channels"]
        self.channels = seen if pixels == "float" else 3 if self.from_lightness else data["source_channels"]
        self.output_channels, self.noise = _trace_shapes(self, seen)
        if half:
            self.generator.half()

    @property
    def unit(self) -> int:
        """A multiple of `multiple` that no network finds too small."""
        return -(-MIN_SIDE // self.multiple) * self.multiple

    def forward(self, image: Tensor, noise: Sequence[Tensor] = ()) -> Tensor:
        """The translation, in the form of the input."""
        source = self.preprocess(image) if self.pixels == "uint8" else image
        given = zip(self.noise, noise, strict=True)

        def mask(x: Tensor, _: float) -> Tensor:
            layer, values = next(given)
            return layer.mask(values, x)

        with self.inference.apply_to(self.generator, mask):
            output = self.generator(source.half() if self.half_precision else source).float()
        return self.postprocess(output, source) if self.pixels == "uint8" else output

    def preprocess(self, image: Tensor) -> Tensor:
        """uint8 pictures as the network takes them."""
        lightness = split_lightness(image)[0] if self.from_lightness else image
        return encode_pixels(lightness, self.source_palette)

    def postprocess(self, output: Tensor, source: Tensor) -> Tensor:
        """What the network makes of `source` as uint8 pictures."""
        picture = to_displayable(output, self.palette, source)
        return ((picture.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)

    def example(self, batch: int, height: int, width: int, seed: int = 0) -> tuple[Tensor, list[Tensor]]:
        """A picture of coloured noise and the noise of the dropouts; sides in units of `unit`."""
        random = torch.Generator().manual_seed(seed)
        size = height * self.unit, width * self.unit
        image = torch.rand(batch, self.channels, *size, generator=random)
        noise = [
            torch.rand(batch, layer.channels, *(side // layer.stride for side in size), generator=random)
            for layer in self.noise
        ]
        return (image * 255).to(torch.uint8) if self.pixels == "uint8" else image * 2 - 1, noise


def _require_bytes(data: dict[str, Any]) -> None:
    ranges = [data["transform"].get(f"{image}_range") for image in ("source", "target")]
    depths = [data.get(f"{image}_depth", 8) for image in ("source", "target")]
    if any(ranges) or depths != [8, 8]:
        raise ValueError(
            f"pixels=uint8: this run's pictures are of depth {depths[0]} and {depths[1]} (8 is a byte), in ranges "
            f"{ranges[0]} and {ranges[1]}. Set --pixels float."
        )


def _trace_shapes(graph: InferenceGraph, channels: int) -> tuple[int, list[NoiseInput]]:
    """How many channels come out and what each dropout is given, found by sending shapes through the network."""
    found: list[NoiseInput] = []
    side = 2 * graph.unit  # then a single number of a channel stands for all of it

    def record(x: Tensor, keep: float) -> Tensor:
        whole = set(x.shape[2:]) == {1}
        stride = graph.multiple if whole else side // x.shape[2]
        found.append(NoiseInput(f"noise_{len(found)}", x.shape[1], stride, keep, whole))
        return torch.ones_like(x)

    _require_known_dropouts(graph)
    network = copy.deepcopy(graph.generator).to("meta")
    with torch.no_grad(), graph.inference.apply_to(network, record):
        output = network(torch.empty(1, channels, side, side, device="meta"))
    return output.shape[1], found


def _require_known_dropouts(graph: InferenceGraph) -> None:
    for module in graph.inference.noise_dropouts(graph.generator):
        if has_custom_forward(module):
            raise ValueError(
                f"{type(module).__qualname__} is a dropout with a forward() of its own, whose noise cannot be an "
                "input of an exported file. Export with --dropout off, or leave the forward() to torch."
            )


def dynamic_shapes(graph: InferenceGraph) -> dict[str, Any]:
    """Which sides of the inputs are free, for torch.export: batch, and height and width in units of `multiple`."""
    batch, h, w = (Dim(name, min=1, max=2**15) for name in ("batch", "h", "w"))
    units = [graph.multiple // layer.stride for layer in graph.noise]
    return {
        "image": {0: batch, 2: graph.multiple * h, 3: graph.multiple * w},
        "noise": [{0: batch, 2: unit * h, 3: unit * w} for unit in units],
    }


def describe(trained: TrainedGenerator, graph: InferenceGraph) -> dict[str, Any]:
    """What a reader of an exported file has to know, as JSON; README of the fields in docs/using.md."""
    config, data = trained.config, trained.config["data"]
    uint8 = graph.pixels == "uint8"
    shown = 3 if graph.from_lightness or graph.palette else graph.output_channels
    return {
        "name": config["name"],
        "checkpoint": trained.checkpoint.name,
        "step": trained.step,
        "multiple": graph.multiple,
        "size": [data["height"], data["width"]],
        "input": {"channels": graph.channels, **_range(uint8)},
        "output": {"channels": shown if uint8 else graph.output_channels, **_range(uint8)},
        "noise": [layer._asdict() for layer in graph.noise],
        "half": graph.half_precision,
        "normalization": trained.inference.normalization,
        "dropout": trained.inference.dropout,
        "data": data["name"],
        "direction": data["direction"],
        "operation": data.get("operation"),
        "palette": _palette(config),
        "config": without_whereabouts(config),
    }


def _range(uint8: bool) -> dict[str, Any]:
    return {"type": "uint8", "range": [0, 255]} if uint8 else {"type": "float32", "range": [-1, 1]}


def _palette(config: Config) -> dict[str, Any] | None:
    """The classes and colours of the label maps, and whether these are the source or the target."""
    data = config["data"]
    if not data["palette"]:
        return None
    labels_are_source = data["labels"] == ("A" if data["direction"] == "AtoB" else "B")
    palette = Palette(data["palette"])
    return {
        "name": data["palette"] if isinstance(data["palette"], str) else None,
        "labels": "source" if labels_are_source else "target",
        "classes": dict(zip(palette.classes, palette.pixels.tolist(), strict=True)),
    }
