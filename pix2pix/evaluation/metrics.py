"""Metrics between outputs and targets."""

from collections.abc import Mapping

import torch
from torch import Tensor

from pix2pix.config.metric_names import MS_SSIM_LEAST, PairMetric
from pix2pix.data.images.palettes import Palette
from pix2pix.models.structural_similarity import structural_similarity

MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of its scales (Wang et al. 2003, section 3.2)


def pair_metrics(output: Tensor, target: Tensor) -> dict[str, Tensor]:
    """The metrics that compare each picture with its own target: `l1`, `l2`, `psnr`, `ssim`, and `ms_ssim` if it fits.

    Args:
        output: (B, C, H, W) in [-1, 1].
        target: (B, C, H, W) in [-1, 1].

    Returns:
        A tensor (B,) for each metric.
    """
    output, target = (output.clamp(-1, 1) + 1) / 2, (target + 1) / 2
    difference = output - target
    l1, l2 = difference.abs().mean(dim=(1, 2, 3)), difference.square().mean(dim=(1, 2, 3))
    return {"l1": l1, "l2": l2, "psnr": -10 * l2.log10()} | _similarities(output, target)


def measure_validation(
    output: Tensor, target: Tensor, palette: Palette | None, further: Mapping[str, PairMetric]
) -> dict[str, Tensor]:
    """All metrics of a validation between pictures (B, C, H, W) in [-1, 1], a tensor (B,) for each.

    Args:
        output: what was generated.
        target: the targets.
        palette: the classes of the targets if these are label maps.
        further: further metrics, by name.
    """
    measured = hide_unlabelled(output, target, palette)
    metrics = pair_metrics(measured, target)
    if palette is not None:
        metrics["pixel_accuracy"] = pixel_accuracy(measured, target, palette)
    return metrics | {name: metric.measure(measured, target) for name, metric in further.items()}


def hide_unlabelled(output: Tensor, target: Tensor, palette: Palette | None) -> Tensor:
    """The output, with the target in its place where a label map (B, 3, H, W) has no class; the output of pictures."""
    return output if palette is None else torch.where(palette.find_labelled(target), output, target)


def pixel_accuracy(output: Tensor, target: Tensor, palette: Palette) -> Tensor:
    """The share (B,) of pixels whose class is the true one, 0 to 1, between label maps (B, 3, H, W) in [-1, 1].

    Pixels of no class are not counted.
    """
    true = palette.true_classes(target)
    return (palette.classify(output) == true).sum(dim=(1, 2)) / (true >= 0).sum(dim=(1, 2)).clamp(min=1)


def _similarities(output: Tensor, target: Tensor) -> dict[str, Tensor]:
    """`ssim`, and `ms_ssim` if the picture is large enough; the first scale of MS-SSIM is the SSIM."""
    fits = min(output.shape[2:]) >= MS_SSIM_LEAST
    scales = structural_similarity(output, target, len(MS_SSIM_WEIGHTS) if fits else 1)
    terms = torch.stack([*(scale.contrast for scale in scales[:-1]), scales[-1].ssim])
    weights = torch.tensor(MS_SSIM_WEIGHTS, device=terms.device)[:, None]
    return {"ssim": scales[0].ssim} | ({"ms_ssim": (terms.relu() ** weights).prod(dim=0)} if fits else {})
