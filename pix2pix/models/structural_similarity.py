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


def structural_similarity(output: Tensor, target: Tensor) -> Similarity:
    """Compares pictures (B, C, H, W) from 0 to 1 in Gaussian windows (Wang et al. 2004, equation 13)."""
    pad, count = WINDOW // 2, len(output)
    output, target = (F.pad(image, (pad, pad, pad, pad), mode="reflect") for image in (output, target))
    # Only the sum of both variances counts. Rounding may turn one of 0 negative.
    moments = _blur(torch.cat([output, target, output * output + target * target, output * target]))
    mean, other_mean, squares, product = moments.split(count)
    squared_means, product_of_means = mean * mean + other_mean * other_mean, mean * other_mean
    variances, covariance = (squares - squared_means).clamp(min=0), product - product_of_means
    contrast = (2 * covariance + CONTRAST) / (variances + CONTRAST)
    ssim = (2 * product_of_means + LUMINANCE) / (squared_means + LUMINANCE) * contrast
    inside = contrast[..., pad:-pad, pad:-pad]
    return Similarity(ssim.mean(dim=(1, 2, 3)), inside.mean(dim=(1, 2, 3)))


def _blur(images: Tensor) -> Tensor:
    """The weighted means of all windows: along columns, then along rows, a tenth of the work of whole windows."""
    channels = images.shape[1]
    distance = torch.arange(WINDOW, dtype=images.dtype, device=images.device) - WINDOW // 2
    weights = torch.softmax(-((distance / SIGMA) ** 2) / 2, dim=0).expand(channels, 1, WINDOW)
    return F.conv2d(F.conv2d(images, weights[..., None], groups=channels), weights[:, :, None], groups=channels)
