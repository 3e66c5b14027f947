"""Chooses the metrics of an evaluation: those that fit the data, the optional ones and the user's own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from pix2pix.config.metric_names import PairMetric
from pix2pix.evaluation.bootstrap import Interval
from pix2pix.evaluation.confusion import ConfusionMatrix
from pix2pix.evaluation.evaluate_pairs import SetMetric
from pix2pix.evaluation.fcn_score import SegmentationScore
from pix2pix.evaluation.lab_histograms import LabHistograms
from pix2pix.evaluation.own_metrics import build_own_metrics
from pix2pix.evaluation.perceptual import PerceptualMetrics
from pix2pix.inference.generator import TrainedGenerator


class LabelAccuracy:
    """Agreement of generated label maps with the true ones (paper, table 6)."""

    def __init__(self, trained: TrainedGenerator) -> None:
        palette = trained.config.data.label_palette
        assert palette is not None
        self.palette = palette
        self.confusion = ConfusionMatrix(len(self.palette), self.palette.ignored)

    def update(self, output: Tensor, target: Tensor, classes: Tensor | None, names: Sequence[str] = ()) -> None:
        """Adds label maps, coloured or one-hot."""
        assert classes is not None
        self.confusion.update(self.palette.classify(output), classes, names)

    def compute(self) -> dict[str, float]:
        """`pixel_accuracy`, `class_accuracy` and `class_iou`, each 0 to 1."""
        return self.confusion.compute()

    def intervals(self) -> dict[str, Interval]:
        """Their 95 % intervals over pictures."""
        return self.confusion.intervals()


@dataclass(frozen=True)
class ChosenMetrics:
    """The metrics of an evaluation beside those that every one has.

    Args:
        of_sets: metrics of all pictures together.
        own: the user's metrics of single pictures, by name.
        perceptual: whether LPIPS, FID and KID were asked for; label maps have none.
    """

    of_sets: list[SetMetric]
    own: dict[str, PairMetric]
    perceptual: bool

    @property
    def of_pairs(self) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
        """The metrics with a value for each picture, by name."""
        perceptual = [metric.pair_metrics() for metric in self.of_sets if isinstance(metric, PerceptualMetrics)]
        return (perceptual[0] if perceptual else {}) | {name: metric.measure for name, metric in self.own.items()}

    @property
    def scorer_file(self) -> Path | None:
        """The checkpoint of the segmentation network, if outputs are scored by one."""
        scorers = [metric.scorer.checkpoint for metric in self.of_sets if isinstance(metric, SegmentationScore)]
        return scorers[0] if scorers else None


def choose_metrics(
    trained: TrainedGenerator, scorer: str | Path | None, perceptual: bool, own: Sequence[str], device: str
) -> ChosenMetrics:
    """The metrics that fit a run's outputs. Arguments as for `evaluate`; `own` are its `metrics`."""
    metrics: list[SetMetric] = []
    makes_label_maps = trained.config.data.label_map_side == "target"
    if makes_label_maps:
        metrics.append(LabelAccuracy(trained))
    elif trained.config.data.output_picture_channels == 3:
        metrics.append(LabHistograms())
    if scorer is not None:
        metrics.append(SegmentationScore(scorer, trained.config, device, trained.trust))
    if perceptual and not makes_label_maps:
        metrics.append(PerceptualMetrics(channels=trained.config.data.output_picture_channels))
    return ChosenMetrics(metrics, build_own_metrics(trained, own), perceptual)
