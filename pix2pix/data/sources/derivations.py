"""Operations that derive an input from a picture: edges, holes, blur, noise and so on."""

from types import ModuleType
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pix2pix.core.extras import import_extra
from pix2pix.core.randomness import derive_seed
from pix2pix.data.images.resize import resize

Operation = Literal["grayscale", "lab", "edges", "inpaint", "superres", "blur", "noise"]


def derive_input(
    picture: Tensor, name: str, operation: Operation, amount: float | None, fill: str = "white", seed: int = 0
) -> Tensor:
    """Derives the input, uint8 (1 or 3, H, W), of an RGB picture, the same every time; any operation but `lab`."""
    return draw_input(picture, np.random.default_rng(derive_seed(seed, "derivation", name)), operation, amount, fill)


def draw_input(
    picture: Tensor, random: np.random.Generator, operation: Operation, amount: float | None, fill: str
) -> Tensor:
    """Derives the input as `derive_input` does, with the hole or the noise that `random` gives."""
    if operation == "inpaint":
        return inpaint(picture, random, amount or 0.5, fill)
    if operation == "noise":
        return noise(picture, random, amount or 25.0)
    return DETERMINISTIC[operation](picture, amount)


def grayscale(picture: Tensor, amount: float | None) -> Tensor:
    """Luma (ITU-R BT.601), uint8 (1, H, W)."""
    weights = torch.tensor([0.299, 0.587, 0.114]).reshape(3, 1, 1)
    return (picture * weights).sum(dim=0, keepdim=True).round().to(torch.uint8)


def edges(picture: Tensor, amount: float | None) -> Tensor:
    """Canny's edges (Canny 1986), black on white, uint8 (1, H, W); the lower threshold is half the upper one."""
    high = amount or 200.0
    edges = import_opencv().Canny(grayscale(picture, None)[0].numpy(), high / 2, high)
    return torch.from_numpy(255 - edges)[None]


def inpaint(picture: Tensor, random: np.random.Generator, share: float, fill: str) -> Tensor:
    """Cuts a square hole at a random place; its side is a `share` of the shorter side of the picture."""
    _, height, width = picture.shape
    side = max(1, round(min(share, 1.0) * min(height, width)))
    top, left = int(random.integers(height - side + 1)), int(random.integers(width - side + 1))
    with_hole = picture.clone()
    filling = random.integers(256, size=(3, side, side)) if fill == "noise" else np.full((3, side, side), 255)
    with_hole[:, top : top + side, left : left + side] = torch.from_numpy(filling.astype(np.uint8))
    return with_hole


def superres(picture: Tensor, amount: float | None) -> Tensor:
    """Averages squares of `amount` pixels, as a coarser camera would, and enlarges the result bicubically."""
    size = picture.shape[1], picture.shape[2]
    small = [max(1, round(side / (amount or 4.0))) for side in size]
    return resize(F.interpolate(picture[None].float(), small, mode="area")[0].round().to(torch.uint8), size)


def blur(picture: Tensor, amount: float | None) -> Tensor:
    """Gaussian blur with a standard deviation of `amount` pixels and reflection at the borders."""
    sigma = amount or 2.0
    reach = min(int(3 * sigma) + 1, min(picture.shape[1:]) - 1)
    line = torch.exp(-(torch.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    line = line / line.sum()
    image = F.pad(picture[:, None].float(), (reach, reach, reach, reach), mode="reflect")
    image = F.conv2d(F.conv2d(image, line.reshape(1, 1, 1, -1)), line.reshape(1, 1, -1, 1))
    return image[:, 0].round().to(torch.uint8)


def noise(picture: Tensor, random: np.random.Generator, amount: float) -> Tensor:
    """Adds Gaussian noise with a standard deviation of `amount` levels of 255."""
    grain = torch.from_numpy(random.normal(0, amount, tuple(picture.shape))).to(picture.device)
    return (picture + grain).round().clamp(0, 255).to(torch.uint8)


RANDOM: tuple[Operation, ...] = ("inpaint", "noise")
DETERMINISTIC = {"grayscale": grayscale, "edges": edges, "superres": superres, "blur": blur}


def import_opencv() -> ModuleType:
    """OpenCV. Raises ValueError, with the command that installs it, when it is missing."""
    return import_extra("cv2", "data.operation=edges", "edges")
