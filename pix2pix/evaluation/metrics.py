"""How far an output is from its target: tensors in, numbers out."""

from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

BETTER = {"l1": "lower", "psnr": "higher", "ssim": "higher"}


def higher_is_better(name: str) -> bool:
    """Whether more of the metric is better; a name that is none of ours is taken for a loss."""
    return BETTER.get(name) == "higher"


def pair_metrics(output: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Metrics of each picture against its target.

    | name | range | better | source |
    |---|---|---|---|
    | `l1` | 0 to 1, in parts of the full intensity range | lower | mean absolute error |
    | `psnr` | dB, infinite for equal pictures | higher | peak signal-to-noise ratio |
    | `ssim` | -1 to 1 | higher | structural similarity (Wang et al. 2004), 11x11 Gaussian window |

    Args:
        output: (B, C, H, W) in [-1, 1].
        target: likewise.

    Returns:
        For each metric a tensor (B,).
    """
    output, target = (output.clamp(-1, 1) + 1) / 2, (target + 1) / 2
    psnr = peak_signal_noise_ratio(output, target, data_range=1.0, reduction="none", dim=(1, 2, 3))
    ssim = structural_similarity_index_measure(output, target, data_range=1.0, reduction="none")
    return {"l1": (output - target).abs().mean(dim=(1, 2, 3)), "psnr": psnr, "ssim": ssim}  # pyright: ignore
