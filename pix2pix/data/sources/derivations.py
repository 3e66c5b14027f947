"""Operations that derive an input from a picture: edges, holes, blur, noise and so on."""

from types import ModuleType
from typing import Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pix2pix.core.extras import import_extra
from pix2pix.core.randomness import derive_seed
from pix2pix.data.images.resize import Size, resize

Operation = Literal["grayscale", "lab", "edges", "inpaint", "superres", "blur", "noise"]
LUMA = (0.299, 0.587, 0.114)  # of red, green and blue
DEFAULT_AMOUNTS: dict[str, float] = {"edges": 200.0, "inpaint": 0.5, "superres": 4.0, "blur": 2.0, "noise": 25.0}


def derive_input(
    picture: Tensor, name: str, operation: Operation, amount: float | None, fill: str = "white", seed: int = 0
) -> Tensor:
    """Derives the input, uint8 (1 or 3, H, W), of an RGB picture, the same every time; any operation but `lab`."""
    return draw_input(picture, np.random.default_rng(derive_seed(seed, "derivation", name)), operation, amount, fill)


def draw_input(
    picture: Tensor, random: np.random.Generator, operation: Operation, amount: float | None, fill: str
) -> Tensor:
    """Derives the input as `derive_input` does, with the hole or the noise that `random` gives."""
    strength = amount or DEFAULT_AMOUNTS.get(operation, 0.0)
    if operation == "inpaint":
        return inpaint(picture, random, strength, fill)
    if operation == "noise":
        return noise(picture, random, strength)
    if operation not in DETERMINISTIC:  # a configuration in a file may name anything
        raise ValueError(f"data.operation={operation}: there is no such operation. Choose from {get_args(Operation)}.")
    return DETERMINISTIC[operation](picture, strength)


def grayscale(picture: Tensor, amount: float = 0.0) -> Tensor:
    """Luma (ITU-R BT.601) of (..., 3, H, W), uint8 (..., 1, H, W)."""
    weights = torch.tensor(LUMA).reshape(3, 1, 1)
    return (picture * weights).sum(dim=-3, keepdim=True).round().to(torch.uint8)


def edges(picture: Tensor, high: float) -> Tensor:
    """Canny's edges (Canny 1986), black on white, uint8 (1, H, W); the lower threshold is half the upper one."""
    edges = import_opencv().Canny(grayscale(picture)[0].numpy(), high / 2, high)
    return torch.from_numpy(255 - edges)[None]


def inpaint(picture: Tensor, random: np.random.Generator, share: float, fill: str) -> Tensor:
    """Cuts a square hole at a random place; its side is a `share` of the shorter side of the picture."""
    top, left, side = place_hole((picture.shape[1], picture.shape[2]), random, share)
    with_hole = picture.clone()
    filling = random.integers(256, size=(3, side, side)) if fill == "noise" else np.full((3, side, side), 255)
    with_hole[:, top : top + side, left : left + side] = torch.from_numpy(filling.astype(np.uint8))
    return with_hole


def place_hole(size: Size, random: np.random.Generator, share: float) -> tuple[int, int, int]:
    """The first row, the first column and the side of a hole in a picture of `size` (height, width)."""
    height, width = size
    side = max(1, round(min(share, 1.0) * min(size)))
    return int(random.integers(height - side + 1)), int(random.integers(width - side + 1)), side


def superres(picture: Tensor, side: float) -> Tensor:
    """Averages squares of `side` pixels, as a coarser camera would, and enlarges the result bicubically."""
    size = picture.shape[1], picture.shape[2]
    small = F.interpolate(picture[None].float(), reduced_size(size, side), mode="area")[0]
    return resize(small.round().to(torch.uint8), size)


def reduced_size(size: Size, side: float) -> Size:
    """How many squares of `side` pixels a picture of `size` (height, width) is averaged over."""
    return max(1, round(size[0] / side)), max(1, round(size[1] / side))


def blur(picture: Tensor, sigma: float) -> Tensor:
    """Gaussian blur with a standard deviation of `sigma` pixels and reflection at the borders."""
    return filter_twice(picture[:, None], gaussian_line(sigma, min(picture.shape[1:]) - 1))[:, 0]


def filter_twice(image: Tensor, line: Tensor) -> Tensor:
    """Filters (N, 1, H, W) along rows and along columns with the weights of a line, reflected at the borders; uint8."""
    reach = len(line) // 2
    padded = F.pad(image.float(), (reach, reach, reach, reach), mode="reflect")
    filtered = F.conv2d(F.conv2d(padded, line.reshape(1, 1, 1, -1)), line.reshape(1, 1, -1, 1))
    return filtered.round().to(torch.uint8)


def gaussian_line(sigma: float, longest: int | None = None) -> Tensor:
    """The weights of a Gaussian filter along a line, to 3 sigma but at most `longest` pixels on each side."""
    reach = int(3 * sigma) + 1 if longest is None else min(int(3 * sigma) + 1, longest)
    line = torch.exp(-(torch.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    return line / line.sum()


def noise(picture: Tensor, random: np.random.Generator, amount: float) -> Tensor:
    """Adds Gaussian noise with a standard deviation of `amount` levels of 255."""
    grain = torch.from_numpy(random.normal(0, amount, tuple(picture.shape))).to(picture.device)
    return (picture + grain).round().clamp(0, 255).to(torch.uint8)


RANDOM: tuple[Operation, ...] = ("inpaint", "noise")
DETERMINISTIC = {"grayscale": grayscale, "edges": edges, "superres": superres, "blur": blur}


def import_opencv() -> ModuleType:
    """OpenCV. Raises ValueError, with the command that installs it, when it is missing."""
    return import_extra("cv2", "data.operation=edges", "edges")
