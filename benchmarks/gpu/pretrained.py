"""Pretrained networks from files, for machines without a network.

python -m benchmarks.gpu.pretrained NETWORKS evaluate outputs/facades --perceptual    # or any other command of pix2pix

NETWORKS is a folder with `alexnet.safetensors` and `vgg16.safetensors`, as `convert_networks.py` writes them: the
weights of the convolutions under torchvision's names (`0.weight`, `0.bias`, `3.weight`, ...).
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from pix2pix.cli.main import main as pix2pix
from pix2pix.core.errors import exit_with_message
from pix2pix.evaluation import choose_metrics
from pix2pix.evaluation.perceptual import PerceptualMetrics

# Channels of the convolutions with their kernel, stride and padding; `pool` halves. As torchvision builds them.
ALEXNET = [(64, 11, 4, 2), "pool", (192, 5, 1, 2), "pool", (384, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1)]
VGG16 = [*[(64, 3, 1, 1)] * 2, "pool", *[(128, 3, 1, 1)] * 2, "pool", *[(256, 3, 1, 1)] * 3, "pool"]
VGG16 += [*[(512, 3, 1, 1)] * 3, "pool", *[(512, 3, 1, 1)] * 3]
LAYERS = {"alexnet": (ALEXNET, nn.MaxPool2d(3, 2)), "vgg16": (VGG16, nn.MaxPool2d(2, 2))}
MEAN, DEVIATION = (torch.tensor(values).view(-1, 1, 1) for values in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))


def main() -> None:
    """Runs a command of pix2pix with the networks of a folder."""
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    with exit_with_message():
        use_files(Path(sys.argv.pop(1)))
    pix2pix()


def use_files(folder: Path) -> None:
    """LPIPS reads its networks from these files, and FID and KID compare features of AlexNet instead of Inception's.

    Raises ValueError for a folder without them.
    """
    if not (folder / "alexnet.safetensors").is_file():
        raise ValueError(f"{folder}: has no alexnet.safetensors. Write it with benchmarks.gpu.convert_networks.")
    from torchmetrics.functional.image import lpips
    from torchmetrics.image import lpip

    lpips._get_tv_model_features = lambda net, pretrained=True: load_features(folder, net)
    lpip._TORCHVISION_AVAILABLE = True  # pyright: ignore[reportPrivateImportUsage]

    class FromFiles(PerceptualMetrics):
        def __init__(self, channels: int = 3) -> None:
            super().__init__(AlexNetFeatures(folder), channels)

    choose_metrics.PerceptualMetrics = FromFiles


def load_features(folder: Path, net: str) -> nn.Sequential:
    """The convolutions of a network, as torchvision's `features`."""
    layers, pool = LAYERS[net]
    built, channels = [], 3
    for layer in layers:
        if isinstance(layer, str):
            built.append(pool)
        else:
            built += [nn.Conv2d(channels, *layer), nn.ReLU()]
            channels = layer[0]
    features = nn.Sequential(*built, pool)
    features.load_state_dict({name: value.float() for name, value in load_file(folder / f"{net}.safetensors").items()})
    return features


class AlexNetFeatures(nn.Module):
    """Maps uint8 pictures (B, 3, H, W) to the means of AlexNet's last 256 channels, (B, 256)."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.features = load_features(folder, "alexnet").eval().requires_grad_(False)
        self.num_features = 256

    def forward(self, pictures: Tensor) -> Tensor:
        return self.features((pictures / 255 - MEAN) / DEVIATION).mean(dim=(2, 3))


if __name__ == "__main__":
    main()
