"""Wraps the generator as one function of tensors, for export."""

import copy
import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.export import Dim

from pix2pix.config.identity import hide_local_paths
from pix2pix.data.images.lab import split_lightness
from pix2pix.data.images.palettes import to_displayable
from pix2pix.data.settings import DataSettings
from pix2pix.export.derivation import describe_derivation, make_derivation
from pix2pix.inference.generator import TrainedGenerator
from pix2pix.inference.mode import has_custom_forward
from pix2pix.models.input_sizes import round_up

Pixels = Literal["uint8", "float"]
MIN_SIDE = 32  # pixels; smaller pictures are too small for some networks


class NoiseInput(NamedTuple):
    """The noise input of one dropout: uniform in [0, 1), (B, channels, H / stride, W / stride).

    Values below `keep` are kept. For a dropout of whole channels, only the first value of each channel is used.
    """

    name: str
    channels: int
    stride: int
    keep: float
    whole_channels: bool = False

    def mask(self, noise: Tensor, x: Tensor) -> Tensor:
        """The mask for the dropout's x: 1 where it is kept, else 0."""
        mask = (noise < self.keep).to(x)
        return mask[:, :, :1, :1].reshape(x.shape) if self.whole_channels else mask


class InferenceGraph(nn.Module):
    """Maps pictures and the noise of each dropout to pictures.

    With `pixels="uint8"`, pictures are uint8 (B, 1, 3 or 4, H, W) as in files; scaling, palettes and Lab are in the
    graph, and so is the derivation of inputs from photos, if it is made of tensor operations. With `float`, they are
    the network's inputs and outputs, float32 (B, C, H, W) in [-1, 1]. H and W are multiples of `multiple`. Each picture
    of a batch is normalised by itself.

    Args:
        trained: the generator and its test-time settings; copied.
        pixels: `uint8` or `float`, as above.
        half: compute in float16; inputs and outputs keep their types.
        derive: for a run whose inputs are derived from photos: take photos. False: take inputs.
    """

    def __init__(
        self, trained: TrainedGenerator, *, pixels: Pixels = "uint8", half: bool = False, derive: bool = True
    ) -> None:
        super().__init__()
        self.generator = copy.deepcopy(trained.generator).cpu().eval()
        self.inference, self.pixels, self.half_precision = trained.inference, pixels, half
        self.multiple: int = getattr(trained.generator, "multiple", 1)
        data = trained.config.data
        self.from_lightness = data.has_lab_targets
        self.encoding, self.palette = data.source_encoding, data.target_palette
        if pixels == "uint8":
            _require_bytes(data)
        network_channels = data.input_channels
        self.channels = network_channels if pixels == "float" else 3 if self.from_lightness else data.source_channels
        self.derivation = make_derivation(data, self.unit) if derive and pixels == "uint8" else None
        if self.derivation is not None:
            self.channels = 3
            self.multiple = math.lcm(self.multiple, self.derivation.multiple)
        self.output_channels, self.noise = _trace_shapes(self, network_channels)
        if half:
            self.generator.half()

    @property
    def unit(self) -> int:
        """The smallest multiple of `multiple` of at least MIN_SIDE pixels that the network takes."""
        return round_up(max(MIN_SIDE, getattr(self.generator, "smallest", 1)), self.multiple)

    def forward(self, image: Tensor, noise: Sequence[Tensor] = (), given: Sequence[Tensor] = ()) -> Tensor:
        """The translation, in the same format as the input; `given` are the other inputs of the derivation."""
        source = self.preprocess(image, given) if self.pixels == "uint8" else image
        # Dropouts call `mask` in the order of the forward pass, which is that of the noise inputs.
        layers = zip(self.noise, noise, strict=True)

        def mask(x: Tensor, _: float) -> Tensor:
            layer, values = next(layers)
            return layer.mask(values, x)

        with self.inference.apply_to(self.generator, mask):
            output = self.generator(source.half() if self.half_precision else source).float()
        return self.postprocess(output, source) if self.pixels == "uint8" else output

    def preprocess(self, image: Tensor, given: Sequence[Tensor] = ()) -> Tensor:
        """Converts uint8 pictures to the network's input."""
        if self.derivation is not None:
            image = self.derivation(image, *given)
        lightness = split_lightness(image)[0] if self.from_lightness else image
        return self.encoding.encode(lightness)

    def postprocess(self, output: Tensor, source: Tensor) -> Tensor:
        """Converts the network's output for `source` to uint8 pictures."""
        picture = to_displayable(output, self.palette, source)
        return ((picture.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)

    def example(self, batch: int, height: int, width: int, seed: int = 0) -> tuple[Any, ...]:
        """Random arguments of `forward`, those of the derivation only if it has any; sides in units of `unit`."""
        random = torch.Generator().manual_seed(seed)
        size = height * self.unit, width * self.unit
        image = torch.rand(batch, self.channels, *size, generator=random)
        noise = [
            torch.rand(batch, layer.channels, *(side // layer.stride for side in size), generator=random)
            for layer in self.noise
        ]
        picture = (image * 255).to(torch.uint8) if self.pixels == "uint8" else image * 2 - 1
        if self.derivation is None or not self.derivation.inputs:
            return picture, noise
        return picture, noise, self.derivation.example(batch, *size, random)


def _require_bytes(data: DataSettings) -> None:
    ranges = data.coded_source_range, data.coded_target_range
    depths = data.source_depth, data.target_depth
    if any(ranges) or depths != (8, 8):
        raise ValueError(
            f"pixels=uint8: the pictures of this run have depths {depths[0]} and {depths[1]} and ranges "
            f"{ranges[0]} and {ranges[1]}; uint8 needs depth 8 and no range. Set --pixels float."
        )


def _trace_shapes(graph: InferenceGraph, channels: int) -> tuple[int, list[NoiseInput]]:
    """The output channels and the noise input of each dropout, from a forward pass on the meta device."""
    inputs: list[NoiseInput] = []
    side = 2 * graph.unit  # so that a 1x1 map means dropout of whole channels

    def record(x: Tensor, keep: float) -> Tensor:
        whole = set(x.shape[2:]) == {1}
        stride = graph.multiple if whole else side // x.shape[2]
        inputs.append(NoiseInput(f"noise_{len(inputs)}", x.shape[1], stride, keep, whole))
        return torch.ones_like(x)

    _require_known_dropouts(graph)
    # Shapes alone: the meta device computes nothing, whatever the size of the network.
    network = copy.deepcopy(graph.generator).to("meta")
    with torch.no_grad(), graph.inference.apply_to(network, record):
        output = network(torch.empty(1, channels, side, side, device="meta"))
    return output.shape[1], inputs


def _require_known_dropouts(graph: InferenceGraph) -> None:
    for module in graph.inference.noise_dropouts(graph.generator):
        if has_custom_forward(module):
            raise ValueError(
                f"{type(module).__qualname__} is a dropout with its own forward(), whose noise cannot be an "
                "input of an exported file. Export with --dropout off, or remove its forward()."
            )


def dynamic_shapes(graph: InferenceGraph) -> dict[str, Any]:
    """The dynamic shapes for torch.export: batch, and height and width in units of `multiple`."""
    batch, h, w = (Dim(name, min=1, max=2**15) for name in ("batch", "h", "w"))
    # All sizes are multiples of two free numbers, h and w, so that the exporter can prove that the skips fit.
    units = [graph.multiple // layer.stride for layer in graph.noise]
    picture = {0: batch, 2: graph.multiple * h, 3: graph.multiple * w}
    shapes = {"image": picture, "noise": [{0: batch, 2: unit * h, 3: unit * w} for unit in units]}
    if graph.derivation is not None and graph.derivation.inputs:
        shapes["given"] = [picture for _ in graph.derivation.inputs]
    return shapes


def describe(trained: TrainedGenerator, graph: InferenceGraph) -> dict[str, Any]:
    """The description of an exported file, for JSON. docs/using.md documents the fields."""
    config, data = trained.config, trained.config.data
    uint8 = graph.pixels == "uint8"
    picture_channels = 3 if graph.from_lightness or graph.palette else graph.output_channels
    return {
        "name": config.name,
        "checkpoint": trained.checkpoint.name,
        "step": trained.step,
        "multiple": graph.multiple,
        "size": list(data.shape),
        "input": {"channels": graph.channels, **_range(uint8)},
        "output": {"channels": picture_channels if uint8 else graph.output_channels, **_range(uint8)},
        "noise": [layer._asdict() for layer in graph.noise],
        "half": graph.half_precision,
        "normalization": trained.inference.normalization,
        "dropout": trained.inference.dropout,
        "data": data.name,
        "direction": data.direction,
        "operation": data.operation,
        "derivation": describe_derivation(data, graph.derivation),
        "palette": _describe_palette(data),
        "config": hide_local_paths(config.to_mapping()),
    }


def _range(uint8: bool) -> dict[str, Any]:
    return {"type": "uint8", "range": [0, 255]} if uint8 else {"type": "float32", "range": [-1, 1]}


def _describe_palette(data: DataSettings) -> dict[str, Any] | None:
    """The classes and colours of the label maps, and whether they are the source or the target."""
    palette = data.label_palette
    if palette is None:
        return None
    return {
        "name": data.palette if isinstance(data.palette, str) else None,
        "labels": data.label_map_side,
        "classes": dict(zip(palette.classes, palette.pixels.tolist(), strict=True)),
    }
