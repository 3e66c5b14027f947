"""The structural similarity of pictures (SSIM), a metric and a term of an objective."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

WINDOW, SIGMA = 11, 1.5  # of the Gaussian, in pixels
LUMINANCE, CONTRAST = 0.01**2, 0.03**2  # constants C1 and C2, for values from 0 to 1


class Similarity(NamedTuple):
    """Means over a picture, (B,) each.

    Args:
        ssim: the structural similarity, over the picture padded by reflection.
        contrast: its factor without luminance, which MS-SSIM takes, over the windows inside the picture.
    """

    ssim: Tensor
    contrast: Tensor


def structural_similarity(output: Tensor, target: Tensor, scales: int = 1) -> list[Similarity]:
    """Compares pictures (B, C, H, W) from 0 to 1 in Gaussian windows (Wang et al. 2004, equation 13).

    Args:
        output: what was generated.
        target: the targets.
        scales: the sizes to compare at: the first is the pictures' own, each further one half of the last.
    """
    count = len(output)
    output, target = _fold_batch(output), _fold_batch(target)
    similarities = [_compare(output, target, count)]
    for _ in range(scales - 1):
        output, target = F.avg_pool2d(output, 2), F.avg_pool2d(target, 2)
        similarities.append(_compare(output, target, count))
    return similarities


def _fold_batch(images: Tensor) -> Tensor:
    """Images (B, C, H, W) as the channels of one, (1, BC, H, W), side by side in memory.

    Windows slide over each channel alone. A CPU computes neighbours in memory together, so many channels cost no more
    than three.
    """
    return images.flatten(0, 1)[None].contiguous(memory_format=torch.channels_last)


def _compare(output: Tensor, target: Tensor, count: int) -> Similarity:
    """The similarity of `count` pictures whose batch was folded."""
    pad = WINDOW // 2
    output, target = (F.pad(image, (pad, pad, pad, pad), mode="reflect") for image in (output, target))
    # Only the sum of both variances counts. Rounding may turn one of 0 negative.
    moments = _blur(torch.cat([output, target, output * output + target * target, output * target], dim=1))
    mean, other_mean, squares, product = moments.chunk(4, dim=1)
    squared_means, product_of_means = mean * mean + other_mean * other_mean, mean * other_mean
    variances, covariance = (squares - squared_means).clamp(min=0), product - product_of_means
    contrast = (2 * covariance + CONTRAST) / (variances + CONTRAST)
    ssim = (2 * product_of_means + LUMINANCE) / (squared_means + LUMINANCE) * contrast
    inside = contrast[..., pad:-pad, pad:-pad]
    return Similarity(*(values.mean(dim=(2, 3)).view(count, -1).mean(dim=1) for values in (ssim, inside)))


def _blur(image: Tensor) -> Tensor:
    """The weighted means of all windows: along columns, then along rows, a tenth of the work of whole windows."""
    channels = image.shape[1]
    distance = torch.arange(WINDOW, dtype=image.dtype, device=image.device) - WINDOW // 2
    weights = torch.softmax(-((distance / SIGMA) ** 2) / 2, dim=0).expand(channels, 1, WINDOW)
    return F.conv2d(F.conv2d(image, weights[..., None], groups=channels), weights[:, :, None], groups=channels)
