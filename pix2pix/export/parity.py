"""Checks that an exported file computes the same as PyTorch, on the same pictures and noise."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pix2pix.export.graph import InferenceGraph
from pix2pix.inference.generator import TrainedGenerator
from pix2pix.inference.mode import make_noise

CHECKED_SIZES = ((1, 1, 1), (2, 2, 1), (1, 1, 3))  # batch, and height and width in units of the graph
LEVEL = 2 / 255  # a level of 8 bits for values in [-1, 1]

Runner = Callable[..., Tensor]  # takes the arguments of the graph


@dataclass(frozen=True)
class Difference:
    """The difference from PyTorch's pictures over all checks, for values in [-1, 1]."""

    largest: float
    mean: float

    def __str__(self) -> str:
        return (
            f"largest {self.largest:.1e}, mean {self.mean:.1e} (of values from -1 to 1; a level of 8 bits is 7.8e-03)"
        )


def measure_difference(run: Runner, trained: TrainedGenerator, graph: InferenceGraph) -> Difference:
    """Compares `run`, which has the inputs and output of the graph, with the trained generator."""
    gaps = []
    for batch, height, width in CHECKED_SIZES:
        image, _, *given = graph.example(batch, height, width)
        expected, noise = _run_pytorch(trained, graph, image, *given)
        gaps.append((run(image, noise, *given).float() - expected.float()).abs().flatten())
    gap = torch.cat(gaps) * (LEVEL if graph.pixels == "uint8" else 1)
    return Difference(float(gap.max()), float(gap.mean()))


def _run_pytorch(
    trained: TrainedGenerator, graph: InferenceGraph, image: Tensor, given: Sequence[Tensor] = ()
) -> tuple[Tensor, list[Tensor]]:
    """The generator's own translation of the pictures, and the dropout noise that it drew."""
    # The file takes uniform noise, PyTorch draws masks: values are made up that the graph turns into the same masks.
    recorded: list[Tensor] = []
    draw = make_noise([trained.inference.seed_of(str(number)) for number in range(len(image))])

    def noise(x: Tensor, keep: float) -> Tensor:
        mask = draw(x, keep)
        layer = graph.noise[len(recorded)]
        sides = [side // layer.stride for side in image.shape[2:]]
        dropped = (1 - mask).reshape(*x.shape[:2], 1, 1) if layer.whole_channels else 1 - mask
        recorded.append(dropped.expand(-1, -1, *sides))  # 0 is below `keep`, so kept; 1 is dropped
        return mask

    uint8 = graph.pixels == "uint8"
    source = graph.preprocess(image, given) if uint8 else image
    with torch.no_grad(), trained.inference.apply_to(trained.generator, noise):
        output = trained.generator(source)
    return graph.postprocess(output, source) if uint8 else output, recorded


def require_agreement(difference: Difference, graph: InferenceGraph) -> None:
    """Raises ValueError when the difference exceeds rounding errors.

    Rounding to 8 bits may differ by one level. Half precision is checked by the mean only, because single values move
    far where a norm has few pixels or two classes are nearly equal.
    """
    largest = 2.0 if graph.half_precision else max(1.01 * LEVEL * (graph.pixels == "uint8"), 1e-3)
    mean = 0.02 if graph.half_precision else 1e-4
    if not (difference.largest <= largest and difference.mean <= mean):
        raise ValueError(
            f"the outputs of the exported file differ from PyTorch: {difference}; allowed are {largest:.1e} and "
            f"{mean:.1e}. Nothing was written. Try --pixels float, or omit --half."
        )
