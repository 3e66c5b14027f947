"""The names of all metrics, what each means, and whether higher is better."""

from typing import Literal, NamedTuple

Mode = Literal["min", "max"]


MS_SSIM_LEAST = 176  # pixels: four halvings must leave its 11x11 window


class Metric(NamedTuple):
    """What a number means: whether more of it is better, and in a few words what it is."""

    higher_is_better: bool
    meaning: str


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


def validation_metrics(height: int, width: int, *, labels: bool) -> list[str]:
    """The metrics that a validation logs, for pictures of this size, and for `labels` as targets."""
    names = ["l1", "l2", "psnr", "ssim"]
    return names + ["ms_ssim"] * (min(height, width) >= MS_SSIM_LEAST) + ["pixel_accuracy"] * labels


def higher_is_better(name: str, mode: Mode | None = None) -> bool:
    """Whether more of the metric is better: as `mode` says, or as it is known of ours.

    Args:
        name: of the metric, with or without `val/`.
        mode: `max` where more is better, `min` where less is; needed of a metric that is none of ours.

    Raises:
        ValueError: when nobody has said it.
    """
    if mode is not None:
        return mode == "max"
    known = METRICS | DIAGNOSES
    if (short := name.removeprefix("val/")) not in known:
        raise ValueError(
            f"{name}: nothing says whether more or less of it is better. Set callbacks.checkpoint.mode=max or min."
        )
    return known[short].higher_is_better
