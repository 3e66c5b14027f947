"""Translates, measures and saves the pairs of an evaluation in batches of equal size."""

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from pix2pix.data.coding import source_side, targets_are_labels
from pix2pix.data.datamodule import PlainPairs
from pix2pix.data.images.palettes import visible
from pix2pix.data.images.pictures import save, shown, to_picture
from pix2pix.data.images.resize import evaluated
from pix2pix.data.images.value_range import scale
from pix2pix.data.sources.folder import Pair
from pix2pix.evaluation.metrics import pair_metrics
from pix2pix.evaluation.record import PairsDigest
from pix2pix.inference.generator import TrainedGenerator

Row = dict[str, Any]


class SetMetric(Protocol):
    """A metric of a whole set of pictures: fed with batches, read at the end."""

    def update(self, output: Tensor, target: Tensor, labels: Tensor | None) -> None:
        """Adds pictures (B, C, H, W); `labels` are the true classes (B, H, W) of data with a palette."""
        ...

    def compute(self) -> dict[str, float]:
        """The numbers, by name."""
        ...


@dataclass
class EvaluatedPair:
    """A pair, and what an evaluation makes of it."""

    name: str
    given: Tensor  # the source as the network takes it, (C, H, W); the rest are pictures to look at
    source: Tensor
    target: Tensor
    labels: Tensor | None = None  # the true classes (H, W), where the data have a palette
    outputs: list[Tensor] = field(default_factory=list)  # one for each sample
    rows: list[Row] = field(default_factory=list)  # likewise its metrics


class PairEvaluator:
    """Reads, translates, measures and writes the pairs of a split; reading and writing may run in threads.

    Args:
        trained: the run.
        pairs: the pairs of the split.
        measures: are fed with every output.
        samples: outputs for each input, under different dropout noise.
        images: the folder of the pictures.
    """

    def __init__(
        self, trained: TrainedGenerator, pairs: PlainPairs, measures: Sequence[SetMetric], samples: int, images: Path
    ) -> None:
        self.trained, self.pairs, self.measures = trained, pairs, measures
        self.samples, self.images = samples, images
        self.seen = PairsDigest()

    def read(self, index: int) -> EvaluatedPair:
        """The pair from its files."""
        raw = self.pairs.pairs[index]
        self.seen.add(index, raw)
        trained, pair = self.trained, self.pairs.transform.plain(raw)
        source = visible(pair.source, trained.source_palette)
        target = visible(pair.target, trained.target_palette, pair.source)
        return EvaluatedPair(pair.name, pair.source, source, target, self._true_labels(raw))

    def _true_labels(self, raw: Pair) -> Tensor | None:
        """The classes (H, W) of the pair's label map, from the file's own pixels: resampled colours are of no class."""
        data = self.trained.config["data"]
        if self.trained.palette is None:
            return None
        image = raw.target if targets_are_labels(self.trained.config) else raw.source
        size, preprocess = (data["height"], data["width"]), data.get("preprocess", "resize_and_crop")
        return self.trained.palette.read(scale(evaluated(image, size, preprocess, labels=True)))

    def run(self, examples: Sequence[EvaluatedPair]) -> Sequence[EvaluatedPair]:
        """Translates and measures examples of one size at once; none depends on the others."""
        given, target = (torch.stack(images) for images in zip(*((e.given, e.target) for e in examples), strict=True))
        known = [example.labels for example in examples if example.labels is not None]
        labels = torch.stack(known) if known else None
        for number in range(self.samples):
            outputs = _with_seed(self.trained, number).generate(given, [example.name for example in examples])
            for measure in self.measures:
                measure.update(outputs, target, labels)
            for example, output, row in zip(examples, outputs, _rows(outputs, target), strict=True):
                example.outputs.append(output)
                example.rows.append({"name": example.name} | row)
        return examples

    def write(self, example: EvaluatedPair) -> list[Row]:
        """Writes the pictures of the pair, of its outputs the first; returns its metrics, a row for each sample."""
        self._save_pictures(example)
        return _with_diversity(example)

    def _save_pictures(self, example: EvaluatedPair) -> None:
        """PNGs to look at, of label maps with their classes; and the output whole, where a PNG is less."""
        trained, output, stem = self.trained, example.outputs[0], self.images / example.name
        made = trained.to_picture(output)
        whole = trained.target_palette is not None
        pictures = {
            "input": to_picture(shown(example.source, source_side(trained.config).channels)),
            "target": to_picture(shown(example.target)),
        }
        for kind, picture in (pictures | {"output": made if whole else to_picture(shown(output))}).items():
            save(picture, stem.with_name(f"{stem.name}_{kind}.png"))
        if trained.exceeds_png:
            save(made, stem.with_name(f"{stem.name}_output.tif"))


def _with_seed(trained: TrainedGenerator, number: int) -> TrainedGenerator:
    return replace(trained, inference=trained.inference.with_seed(trained.inference.seed + number))


def _rows(outputs: Tensor, target: Tensor) -> list[Row]:
    """The metrics of each picture of a batch."""
    metrics = {name: values.tolist() for name, values in pair_metrics(outputs, target).items()}
    return [dict(zip(metrics, values, strict=True)) for values in zip(*metrics.values(), strict=True)]


def _with_diversity(example: EvaluatedPair) -> list[Row]:
    """The rows; those of several samples also tell the mean L1 between any two outputs, 0 to 1."""
    if len(example.outputs) < 2:
        return example.rows
    distances = [float((a - b).abs().mean()) / 2 for a, b in itertools.combinations(example.outputs, 2)]
    return [row | {"diversity": statistics.fmean(distances)} for row in example.rows]
