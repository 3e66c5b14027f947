"""The picture sizes that a network accepts."""

import math

from torch import Tensor

PAPER_DEPTH = 8  # halvings of the paper's U-Net
SHALLOW_DEPTH = 4  # halvings; a U-Net of this depth or less sees few pixels around each
MIN_SIDE = 64  # pixels; a smaller picture leaves no room for a deeper U-Net


def count_halvings(height: int, width: int) -> int:
    """How many times both sides can be halved: 8 for 256x512, 3 for 600x400."""
    common = math.gcd(height, width)
    return (common & -common).bit_length() - 1  # the exponent of the largest power of two in both sides


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
