"""Checks that an exported file computes the same as PyTorch, on the same pictures and noise."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pix2pix.export.graph import InferenceGraph
from pix2pix.inference.generator import TrainedGenerator
from pix2pix.inference.mode import make_noise

CHECKED_SIZES = ((1, 1, 1), (2, 2, 1), (1, 1, 3))  # batch, and height and width in units of the graph's
LEVEL = 2 / 255  # of 8 bits, in the range from -1 to 1

Runner = Callable[[Tensor, Sequence[Tensor]], Tensor]


@dataclass(frozen=True)
class Difference:
    """How far pictures are from PyTorch's, over all that were checked, in the range from -1 to 1."""

    largest: float
    mean: float

    def __str__(self) -> str:
        return (
            f"largest {self.largest:.1e}, mean {self.mean:.1e} (pictures go from -1 to 1, a level of 8 bits is 7.8e-03)"
        )


def measure_difference(run: Runner, trained: TrainedGenerator, graph: InferenceGraph) -> Difference:
    """What `run`, which takes pictures and noise as the graph does, makes otherwise than the trained generator."""
    gaps = []
    for batch, height, width in CHECKED_SIZES:
        image, _ = graph.example(batch, height, width)
        expected, noise = _run_pytorch(trained, graph, image)
        gaps.append((run(image, noise).float() - expected.float()).abs().flatten())
    gap = torch.cat(gaps) * (LEVEL if graph.pixels == "uint8" else 1)
    return Difference(float(gap.max()), float(gap.mean()))


def _run_pytorch(trained: TrainedGenerator, graph: InferenceGraph, image: Tensor) -> tuple[Tensor, list[Tensor]]:
    """What the generator itself makes of the pictures, under noise as it draws it, and that noise."""
    recorded: list[Tensor] = []
    draw = make_noise([trained.inference.seed_of(str(number)) for number in range(len(image))])

    def noise(x: Tensor, keep: float) -> Tensor:
        mask = draw(x, keep)
        layer = graph.noise[len(recorded)]
        sides = [side // layer.stride for side in image.shape[2:]]
        dropped = (1 - mask).reshape(*x.shape[:2], 1, 1) if layer.whole_channels else 1 - mask
        recorded.append(dropped.expand(-1, -1, *sides))  # 0 is below `keep` and kept, 1 is dropped
        return mask

    uint8 = graph.pixels == "uint8"
    source = graph.preprocess(image) if uint8 else image
    with torch.no_grad(), trained.inference.apply_to(trained.generator, noise):
        output = trained.generator(source)
    return graph.postprocess(output, source) if uint8 else output, recorded


def require_agreement(found: Difference, graph: InferenceGraph) -> None:
    """Raises ValueError when the difference is more than rounding explains.

    Rounding to 8 bits may fall one level aside. Half precision is judged by the mean alone: where a norm sees few
    pixels, or a class is nearly another, single values move far.
    """
    largest = 2.0 if graph.half_precision else max(1.01 * LEVEL * (graph.pixels == "uint8"), 1e-3)
    mean = 0.02 if graph.half_precision else 1e-4
    if not (found.largest <= largest and found.mean <= mean):
        raise ValueError(
            f"the exported file is not what PyTorch computes: {found}; allowed are {largest:.1e} and {mean:.1e}. "
            "Nothing was written. Try --pixels float, or leave --half out."
        )
