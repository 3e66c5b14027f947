"""Losses of pretrained networks: VGG features and LPIPS (extra `perceptual`).

Their weights are not part of the package. torchvision downloads them once; without a network, put the file in place.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pix2pix.models.terms import Term, Weight

Made = TypeVar("Made")

VGG19 = "vgg19-dcbb9e9d.pth"
LPIPS_WEIGHTS = {"alex": "alexnet-owt-7be5be79.pth", "vgg": "vgg16-397923af.pth"}
"""The file of the network that LPIPS compares features of."""

# The layers of VGG-19 after which pix2pixHD compares, relu1_1 to relu5_1, and their weights.
LAYERS = {1: 1 / 32, 6: 1 / 16, 11: 1 / 8, 20: 1 / 4, 29: 1.0}
CHANNELS = 3


class Perceptual(Term):
    """The L1 distance of VGG-19's features (arXiv 1603.08155), with the layers and weights of pix2pixHD's code.

    Raises ValueError where its weights are not there and cannot be downloaded.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, weight: Weight = 10.0) -> None:
        super().__init__(weight)
        self.vgg = _explain_missing("objective.terms: perceptual", VGG19, _load_vgg)
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(-1, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225]).view(-1, 1, 1), persistent=False)

    def forward(self, fake: Tensor, target: Tensor) -> Tensor:
        """The sum over five layers of the mean absolute difference, times the weight of the layer."""
        with torch.autocast(fake.device.type, enabled=False):
            a, b = (((to_rgb(image) + 1) / 2 - self.mean) / self.deviation for image in (fake, target))
            losses = []
            for number, layer in enumerate(self.vgg):
                a, b = layer(a), layer(b)
                if number in LAYERS:
                    losses.append(LAYERS[number] * F.l1_loss(a, b))
        return torch.stack(losses).sum()


class LPIPS(Term):
    """The learned perceptual distance, the metric `lpips` (Zhang et al., arXiv 1801.03924).

    Raises ValueError where its weights are not there and cannot be downloaded.

    Args:
        weight: its factor in the sum of all terms.
        net: the network whose features are compared. The metric is that of `alex`; `vgg` is usual for training.
    """

    def __init__(self, weight: Weight = 1.0, *, net: Literal["alex", "vgg"] = "vgg") -> None:
        super().__init__(weight)
        self.net = _explain_missing("objective.terms: LPIPS", LPIPS_WEIGHTS[net], lambda: load_lpips(net))

    def forward(self, fake: Tensor, target: Tensor) -> Tensor:
        """The mean over pictures."""
        with torch.autocast(fake.device.type, enabled=False):
            return self.net(to_rgb(fake), to_rgb(target), normalize=False).mean()


def load_lpips(net: Literal["alex", "vgg"]) -> nn.Module:
    """The network that maps two batches (B, 3, H, W) in [-1, 1] to their distances (B, 1, 1, 1)."""
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    return LearnedPerceptualImagePatchSimilarity(net_type=net).net


def to_rgb(image: Tensor) -> Tensor:
    """Grey or RGB pictures as RGB. Raises ValueError for others."""
    channels = image.shape[1]
    if channels not in {1, CHANNELS}:
        raise ValueError(
            f"objective.terms: perceptual losses compare grey and RGB pictures; these have {channels} channels."
        )
    return image.expand(-1, CHANNELS, -1, -1)


def describe_missing(error: Exception, file: str) -> str:
    """Why a pretrained network cannot be built, and the remedy."""
    if isinstance(error, ModuleNotFoundError):
        return "needs the extra: pip install 'pix2pix[perceptual]'"
    place = Path(torch.hub.get_dir()) / "checkpoints" / file
    return f"could not download its weights ({error}). Put {file} at {place}"


def _load_vgg() -> nn.Sequential:
    from torchvision.models import VGG19_Weights  # pyright: ignore[reportMissingImports]
    from torchvision.models.vgg import cfgs, make_layers  # pyright: ignore[reportMissingImports]

    layers = make_layers(cfgs["E"])[: max(LAYERS) + 1]
    saved: dict[str, Any] = VGG19_Weights.IMAGENET1K_V1.get_state_dict(progress=False, check_hash=True)
    features = {name.removeprefix("features."): value for name, value in saved.items()}
    layers.load_state_dict({name: features[name] for name in layers.state_dict()})
    for layer in layers:
        if isinstance(layer, nn.ReLU):
            layer.inplace = False  # the features before it are compared, too
    return layers


def _explain_missing(what: str, file: str, load: Callable[[], Made]) -> Made:
    try:
        return load()
    except Exception as error:  # downloads raise many kinds of errors
        raise ValueError(f"{what} {describe_missing(error, file)}.") from error
