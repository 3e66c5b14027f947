"""How far an output is from its target: tensors in, numbers out."""

from functools import partial
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

Mode = Literal["min", "max"]

MS_SSIM_LEAST = 176  # pixels: four halvings must leave its 11x11 window
MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of its scales (Wang et al. 2003, section 3.2)


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


def pair_metrics(output: Tensor, target: Tensor) -> dict[str, Tensor]:
    """The metrics that compare each picture with its own target: `l1`, `l2`, `psnr`, `ssim`, and `ms_ssim` if it fits.

    Args:
        output: (B, C, H, W) in [-1, 1].
        target: likewise.

    Returns:
        For each metric a tensor (B,).
    """
    output, target = (_in_channels_last(image) for image in ((output.clamp(-1, 1) + 1) / 2, (target + 1) / 2))
    difference = output - target
    found = {
        "l1": difference.abs().mean(dim=(1, 2, 3)),
        "l2": difference.square().mean(dim=(1, 2, 3)),
        "psnr": peak_signal_noise_ratio(output, target, data_range=1.0, reduction="none", dim=(1, 2, 3)),
    }
    return found | _similarities(output, target)


def _similarities(output: Tensor, target: Tensor) -> dict[str, Tensor]:
    """`ssim`, and `ms_ssim` if it fits: the first of its scales is the SSIM, so that one pass gives both."""
    fits = min(output.shape[2:]) >= MS_SSIM_LEAST
    measure = partial(structural_similarity_index_measure, data_range=1.0, reduction="none")
    found: list[tuple[Tensor, Tensor]] = []
    for scale in range(len(MS_SSIM_WEIGHTS) if fits else 1):
        if scale:
            output, target = F.avg_pool2d(output, 2), F.avg_pool2d(target, 2)
        found.append(measure(output, target, return_contrast_sensitivity=True))  # pyright: ignore[reportArgumentType]
    ssim, terms = found[0][0], torch.stack([*(contrast for _, contrast in found[:-1]), found[-1][0]])
    weights = torch.tensor(MS_SSIM_WEIGHTS, device=terms.device)[:, None]
    return {"ssim": ssim} | ({"ms_ssim": (terms.relu() ** weights).prod(dim=0)} if fits else {})


def _in_channels_last(image: Tensor) -> Tensor:
    """The same numbers in another order in memory, in which a CPU slides windows over them twice as fast."""
    return image.contiguous(memory_format=torch.channels_last)
