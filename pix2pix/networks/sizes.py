"""The sizes of pictures a network can take."""

from torch import Tensor


def require_multiple(x: Tensor, multiple: int, remedy: str) -> None:
    """Raises ValueError, with the remedy, unless `multiple` divides height and width of x (B, C, H, W)."""
    height, width = x.shape[-2:]
    if height % multiple or width % multiple:
        raise ValueError(f"image {height}x{width}: height and width must be divisible by {multiple}. {remedy}")
