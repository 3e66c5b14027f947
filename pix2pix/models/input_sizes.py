"""The picture sizes that a network accepts, padding to them, and halving."""

import math

import torch.nn.functional as F
from torch import Tensor

PAPER_DEPTH = 8  # halvings of the paper's U-Net
SHALLOW_DEPTH = 4  # halvings; a U-Net of this depth or less sees few pixels around each
MIN_SIDE = 64  # pixels; a smaller picture leaves no room for a deeper U-Net


def count_halvings(height: int, width: int) -> int:
    """How many times both sides can be halved: 8 for 256x512, 3 for 600x400."""
    common = math.gcd(height, width)
    return (common & -common).bit_length() - 1  # the exponent of the largest power of two in both sides


def padded_depth(height: int, width: int) -> int:
    """The deepest U-Net, up to the paper's, for which padding lengthens no side by more than a quarter; at least 2."""
    fitting = [
        depth for depth in range(2, PAPER_DEPTH + 1) if all(round_up(n, 2**depth) <= 1.25 * n for n in (height, width))
    ]
    return max(fitting, default=2)


def suggest_sizes(height: int, width: int) -> str | None:
    """Advice that names similar sizes for a deeper U-Net; None when the size allows one, or is too small for one."""
    depth = count_halvings(height, width)
    if depth > SHALLOW_DEPTH or min(height, width) < MIN_SIDE:
        return None
    deepest = min(PAPER_DEPTH, int(math.log2(min(height, width))))
    # For each deeper U-Net the nearest multiples of its 2**n. Equal sizes keep the largest n that they allow.
    better = {
        f"{max(round(height / 2**n), 1) * 2**n}x{max(round(width / 2**n), 1) * 2**n}": n
        for n in range(SHALLOW_DEPTH + 1, deepest + 1)
    }
    sizes = ", ".join(f"{size} ({n})" for size, n in better.items())
    return (
        f"{height}x{width} can be halved only {depth} times, so a U-Net sees little around each pixel. "
        f"Similar sizes that can be halved more often: {sizes}. Set data.height and data.width."
    )


def require_multiple(x: Tensor, multiple: int, remedy: str) -> None:
    """Raises ValueError, with the remedy, unless `multiple` divides height and width of x (B, C, H, W)."""
    height, width = x.shape[-2:]
    if height % multiple or width % multiple:
        raise ValueError(f"image {height}x{width}: height and width must be divisible by {multiple}. {remedy}")


def round_up(length: int, multiple: int) -> int:
    """The smallest multiple of `multiple` that is at least `length`."""
    return -(-length // multiple) * multiple


def pad_to_multiple(image: Tensor, multiple: int) -> Tensor:
    """Pads (B, C, H, W) by reflection, on the right and below, until `multiple` divides both sides."""
    return pad_to_size(image, round_up(image.shape[2], multiple), round_up(image.shape[3], multiple))


def pad_to_size(image: Tensor, height: int, width: int) -> Tensor:
    """Pads (B, C, H, W) on the right and below: by reflection, or by edge pixels if the image is too small for that."""
    # torch can reflect at most one pixel less than the image has.
    right, below = width - image.shape[3], height - image.shape[2]
    mode = "reflect" if right < image.shape[3] and below < image.shape[2] else "replicate"
    return F.pad(image, (0, right, 0, below), mode=mode)


def halve(x: Tensor) -> Tensor:
    """Pictures (B, C, H, W) at half the size, rounded up: means of 3x3 pixels, as pix2pixHD's pyramid."""
    return F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
