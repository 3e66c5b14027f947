"""Translates, measures and saves the pairs of an evaluation in batches of equal size."""

import itertools
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from pix2pix.data.evaluation_pairs import EvaluationPairs
from pix2pix.data.images.palettes import to_displayable
from pix2pix.data.images.pictures import save_picture, select_channels, to_picture
from pix2pix.data.images.resize import resize_for_eval
from pix2pix.data.images.value_range import normalize
from pix2pix.data.pair import Pair
from pix2pix.data.sources.skip_unreadable import OnError
from pix2pix.evaluation.bootstrap import Interval
from pix2pix.evaluation.metrics import hide_unlabelled, pair_metrics
from pix2pix.evaluation.record import PairsDigest
from pix2pix.inference.generator import TrainedGenerator

Row = dict[str, Any]


class SetMetric(Protocol):
    """A metric of a set of pictures: updated with batches, computed at the end."""

    def update(self, output: Tensor, target: Tensor, classes: Tensor | None, names: Sequence[str] = ()) -> None:
        """Adds pictures (B, C, H, W) of these names.

        `classes` are the true classes (B, H, W) of data with a palette, -1 for none.
        """
        ...

    def compute(self) -> dict[str, float]:
        """The metrics, by name."""
        ...

    def intervals(self) -> dict[str, Interval]:
        """The 95 % intervals over pictures of those metrics that have one."""
        ...


@dataclass
class EvaluatedPair:
    """A pair with its outputs and metrics."""

    name: str
    network_input: Tensor  # (C, H, W) in [-1, 1]; source, target and outputs are displayable
    source: Tensor
    target: Tensor
    classes: Tensor | None = None  # the true classes (H, W), for data with a palette
    outputs: list[Tensor] = field(default_factory=list)  # one per sample
    rows: list[Row] = field(default_factory=list)  # metrics, one row per sample


class PairEvaluator:
    """Reads, translates, measures and writes the pairs of a split; reading and writing may run in threads.

    Args:
        trained: the generator of the run.
        pairs: the pairs of the split.
        metrics: set metrics, which are updated with every output.
        samples: number of outputs per input, under different dropout noise.
        images: the folder to write pictures to.
        further_metrics: further metrics of single pictures, which map outputs and targets to values (B,).
        on_error: what an unreadable pair does: `fail` raises its error, `skip` leaves the pair out.
    """

    def __init__(
        self,
        trained: TrainedGenerator,
        pairs: Sequence[Pair],
        metrics: Sequence[SetMetric],
        samples: int,
        images: Path,
        further_metrics: Mapping[str, Callable[[Tensor, Tensor], Tensor]] | None = None,
        on_error: OnError = "fail",
    ) -> None:
        self.trained, self.metrics, self.further_metrics = trained, metrics, further_metrics or {}
        self.pairs = EvaluationPairs(pairs, trained.build_transform())
        self.samples, self.images = samples, images
        self.digest = PairsDigest()
        self.on_error: OnError = on_error
        self.indices: dict[str, int] = {}  # of the pairs, by their names
        self.errors: dict[int, Exception] = {}  # of the pairs that were left out, by their index

    def read(self, index: int) -> EvaluatedPair | None:
        """Reads a pair from its files; None for one that is left out."""
        try:
            raw = self.pairs.pairs[index]
            pair = self.pairs.transform.transform_for_eval(raw)
        except (ValueError, OSError) as error:
            if self.on_error == "fail":
                raise
            self.errors[index] = error
            return None
        self._require_own_name(pair.name, index)
        self.digest.add(index, raw)
        trained = self.trained
        source = trained.config.data.source_image_spec.show(pair.source, trained.config.data.source_palette)
        target = to_displayable(pair.target, trained.config.data.target_palette, pair.source)
        return EvaluatedPair(pair.name, pair.source, source, target, self._true_classes(raw))

    def _require_own_name(self, name: str, index: int) -> None:
        """Raises ValueError for a name that is no name of a file, or that another pair has: files are named by it."""
        if name != Path(name).name:
            raise ValueError(f"the name of pair {index + 1}, {name!r}, cannot be that of a file. Name it without /.")
        if (other := self.indices.setdefault(name, index)) != index:
            raise ValueError(f"pairs {other + 1} and {index + 1} are both called {name!r}. Give each its own name.")

    def _true_classes(self, raw: Pair) -> Tensor | None:
        """The classes (H, W) of the pair's label map, read from the file's pixels before any resampling of colours."""
        data = self.trained.config.data
        if data.label_palette is None or data.label_map_side is None:
            return None
        image = raw.target if data.label_map_side == "target" else raw.source
        partner = (raw.source.shape[1], raw.source.shape[2])
        resized = resize_for_eval(image, data.shape, data.preprocess, is_label_map=True, partner=partner)
        return data.label_palette.true_classes(normalize(resized))

    def run(self, batch: Sequence[EvaluatedPair | None]) -> Sequence[EvaluatedPair]:
        """Translates and measures pairs of equal size in one batch, but those that are left out."""
        examples = [example for example in batch if example is not None]
        if not examples:
            return []
        inputs = torch.stack([example.network_input for example in examples])
        target = torch.stack([example.target for example in examples])
        known = [example.classes for example in examples if example.classes is not None]
        classes = torch.stack(known) if known else None
        names = [example.name for example in examples]
        for number in range(self.samples):
            inference = self.trained.inference
            trained = replace(self.trained, inference=inference.with_seed(inference.seed + number))
            outputs = trained.generate(inputs, names)
            measured = hide_unlabelled(outputs, target, self.trained.config.data.target_label_palette)
            for metric in self.metrics:
                metric.update(measured, target, classes, names)
            further = {name: measure(measured, target) for name, measure in self.further_metrics.items()}
            rows = _rows(pair_metrics(measured, target) | further)
            for example, output, row in zip(examples, outputs, rows, strict=True):
                example.outputs.append(output)
                example.rows.append({"name": example.name} | row)
        return examples

    def write(self, example: EvaluatedPair) -> list[Row]:
        """Writes the pictures of the pair, with its first output; returns its metrics, a row per sample."""
        self._save_pictures(example)
        return _with_diversity(example)

    def _save_pictures(self, example: EvaluatedPair) -> None:
        """Writes displayable PNGs (label maps keep their classes), and a TIFF if a PNG cannot hold the output."""
        trained, output, stem = self.trained, example.outputs[0], self.images / example.name
        picture = trained.to_picture(output)
        is_label_map = trained.config.data.target_palette is not None
        pictures = {
            "input": to_picture(example.source),
            "target": to_picture(select_channels(example.target)),
            "output": picture if is_label_map else to_picture(select_channels(output)),
        }
        for kind, image in pictures.items():
            save_picture(image, stem.with_name(f"{stem.name}_{kind}.png"))
        if trained.config.data.has_deep_outputs:
            save_picture(picture, stem.with_name(f"{stem.name}_output.tif"))


def _rows(values: Mapping[str, Tensor]) -> list[Row]:
    """The metrics of each picture of a batch."""
    metrics = {name: column.tolist() for name, column in values.items()}
    return [dict(zip(metrics, values, strict=True)) for values in zip(*metrics.values(), strict=True)]


def _with_diversity(example: EvaluatedPair) -> list[Row]:
    """The rows; with several samples also `diversity`, the mean L1 between two outputs, 0 to 1."""
    if len(example.outputs) < 2:
        return example.rows
    distances = [float((a - b).abs().mean()) / 2 for a, b in itertools.combinations(example.outputs, 2)]
    return [row | {"diversity": statistics.fmean(distances)} for row in example.rows]
