"""The names of all metrics, what each means, and whether higher is better."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from pix2pix.core.instantiate import TARGET, locate

if TYPE_CHECKING:
    from torch import Tensor

Mode = Literal["min", "max"]


MS_SSIM_LEAST = 176  # pixels: four halvings must leave its 11x11 window


class Metric(NamedTuple):
    """What a number means: whether more of it is better, and in a few words what it is."""

    higher_is_better: bool
    meaning: str


class PairMetric(ABC):
    """A metric that compares each output with its own target: derive from it to measure what you need.

    It is measured in validations as `val/NAME` and in evaluations as NAME, its name in the setting `metrics`. The
    first line of its docstring is its meaning on pages.
    """

    higher_is_better: ClassVar[bool]

    @abstractmethod
    def __call__(self, output: "Tensor", target: "Tensor") -> "Tensor":
        """Maps outputs and targets, (B, C, H, W) in [-1, 1], to a value for each picture, (B,)."""

    def measure(self, output: "Tensor", target: "Tensor") -> "Tensor":
        """The values of `__call__`, float32 (B,). Raises ValueError for anything else."""
        from torch import Tensor

        values = self(output, target)
        if not isinstance(values, Tensor) or values.shape != output.shape[:1]:
            found = f"a tensor {tuple(values.shape)}" if isinstance(values, Tensor) else f"a {type(values).__name__}"
            raise ValueError(
                f"metrics: {type(self).__qualname__} returned {found} for {len(output)} pictures. It must return a "
                f"tensor with a value for each picture, ({len(output)},); for means, .mean(dim=(1, 2, 3))."
            )
        return values.detach().float()

    def describe(self) -> Metric:
        """Direction and meaning."""
        return Metric(self.higher_is_better, (type(self).__doc__ or "").strip().partition("\n")[0].rstrip("."))


def find_missing_direction(component: Mapping[str, Any], key: str) -> Iterator[str]:
    """A sentence about a metric at `key` whose class does not say which values are better."""
    with contextlib.suppress(ValueError):  # a class that is not there has another sentence
        target = locate(component[TARGET])
        if issubclass(target, PairMetric) and not hasattr(target, "higher_is_better"):
            yield f"{key}.{TARGET}={component[TARGET]}: set higher_is_better = True or False in the class."


METRICS = {
    "l1": Metric(False, "mean absolute error, 0 to 1 of the intensity range"),
    "l2": Metric(False, "mean squared error, 0 to 1"),
    "psnr": Metric(True, "peak signal-to-noise ratio, dB; infinite for equal pictures"),
    "ssim": Metric(True, "structural similarity, -1 to 1 (Wang et al. 2004; 11x11 Gaussian window)"),
    "ms_ssim": Metric(True, "multi-scale structural similarity, 0 to 1 (Wang et al. 2003); from 176 pixels on"),
    "lpips": Metric(False, "learned perceptual distance, from 0 (Zhang et al., arXiv 1801.03924; AlexNet)"),
    "lab_l": Metric(True, "intersection of the lightness histograms of outputs and targets, 0 to 1 (paper, figure 7)"),
    "lab_a": Metric(True, "the same for Lab's a, green to red"),
    "lab_b": Metric(True, "the same for Lab's b, blue to yellow"),
    "pixel_accuracy": Metric(True, "share of pixels of the right class (paper, table 6)"),
    "class_accuracy": Metric(True, "the same within each class, mean over classes"),
    "class_iou": Metric(True, "intersection over union of each class, mean over classes"),
    "score_pixel_accuracy": Metric(True, "pixel accuracy of the scorer's reading of the outputs (paper, FCN-score)"),
    "score_class_accuracy": Metric(True, "class accuracy of that reading"),
    "score_class_iou": Metric(True, "class IoU of that reading"),
    "fid": Metric(False, "Frechet Inception distance, from 0 (Heusel et al., arXiv 1706.08500)"),
    "kid": Metric(False, "kernel Inception distance, about 0 for equal sets (Binkowski et al., arXiv 1801.01401)"),
    "diversity": Metric(True, "mean L1 between outputs of the same input under different noise, 0 to 1"),
}
"""Every metric that an evaluation may report."""


DIAGNOSES = {
    "variation": Metric(True, "how much the outputs vary from pair to pair, as a share of the targets"),
    "correlation": Metric(True, "of outputs and targets over the pairs, -1 to 1"),
}
"""What a validation of at least 8 pairs reports beside them."""


def validation_metrics(height: int, width: int, *, of_label_maps: bool) -> list[str]:
    """The metrics that a validation logs, for pictures of this size, and of label maps if `of_label_maps`."""
    names = ["l1", "l2", "psnr", "ssim"]
    return names + ["ms_ssim"] * (min(height, width) >= MS_SSIM_LEAST) + ["pixel_accuracy"] * of_label_maps


def higher_is_better(name: str, mode: Mode | None = None, *, setting: str = "callbacks.checkpoint.mode") -> bool:
    """Whether more of the metric is better: by `mode`, or else by what is known of the built-in metrics.

    Args:
        name: the name of the metric, with or without `val/`.
        mode: `max` where more is better, `min` where less is; needed for a metric that is not built in.
        setting: where the mode is set, for the message.

    Raises:
        ValueError: when the direction is not known.
    """
    if mode is not None:
        return mode == "max"
    known = METRICS | DIAGNOSES
    if (short := name.removeprefix("val/")) not in known:
        raise ValueError(f"{name}: nothing says whether more or less of it is better. Set {setting}=max or min.")
    return known[short].higher_is_better


def find_mode(name: str, mode: Mode | None, metrics: Mapping[str, Mapping[str, Any]]) -> Mode | None:
    """The direction that is set for a metric; else that of a metric of your own or of this package; None for others.

    Args:
        name: the name of the metric, with or without `val/`.
        mode: the direction that is set.
        metrics: the setting `metrics`, whose classes are trusted.
    """
    if mode is not None:
        return mode
    short, known = name.removeprefix("val/"), METRICS | DIAGNOSES
    if short in metrics:
        return "max" if locate(metrics[short][TARGET]).higher_is_better else "min"
    return ("max" if known[short].higher_is_better else "min") if short in known else None
