"""The picture sizes that a network accepts."""

import math

from torch import Tensor

DEEPEST = 8  # halvings: what the paper's U-Net has
SHALLOW = 4  # halvings up to which a U-Net sees but few pixels around each
LEAST = 64  # pixels: smaller pictures have no room for more


def count_halvings(height: int, width: int) -> int:
    """How often both can be halved: 8 for 256x512, 3 for 600x400."""
    common = math.gcd(height, width)
    return (common & -common).bit_length() - 1


def suggest_sizes(height: int, width: int) -> str | None:
    """What to say of a size that leaves a U-Net shallow though it is large enough: the nearest better ones."""
    possible = count_halvings(height, width)
    if possible > SHALLOW or min(height, width) < LEAST:
        return None
    deepest = min(DEEPEST, int(math.log2(min(height, width))))
    better = {
        f"{max(round(height / 2**n), 1) * 2**n}x{max(round(width / 2**n), 1) * 2**n}": n
        for n in range(SHALLOW + 1, deepest + 1)
    }
    sizes = ", ".join(f"{size} ({n})" for size, n in better.items())
    return (
        f"{height}x{width} can be halved only {possible} times, so a U-Net sees little around each pixel. "
        f"Similar sizes that can be halved more often: {sizes}. Set data.height and data.width."
    )


def require_multiple(x: Tensor, multiple: int, remedy: str) -> None:
    """Raises ValueError, with the remedy, unless `multiple` divides height and width of x (B, C, H, W)."""
    height, width = x.shape[-2:]
    if height % multiple or width % multiple:
        raise ValueError(f"image {height}x{width}: height and width must be divisible by {multiple}. {remedy}")
