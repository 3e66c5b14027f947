"""Derives inputs from photos inside an exported graph, for runs on `data=derived`: tensor operations alone."""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pix2pix.core.instantiate import read_argument
from pix2pix.data.settings import DataSettings
from pix2pix.data.sources.derivations import DEFAULT_AMOUNTS, filter_twice, gaussian_line, grayscale

CUBIC = -0.5  # the parameter a of Keys (1981), with which pictures are resized


class GraphInput(NamedTuple):
    """An input of the graph beside the photo: (B, channels, H, W), of the photo's height and width."""

    name: str
    channels: int
    type: str  # uint8 or float32
    values: str  # what they mean, for whoever reads the description of the file


class Derivation(nn.Module):
    """Derives the input, uint8 (B, 1 or 3, H, W), from photos, uint8 (B, 3, H, W), as `derive_input` does."""

    inputs: tuple[GraphInput, ...] = ()
    multiple = 1  # of which height and width must be multiples

    def example(self, batch: int, height: int, width: int, random: torch.Generator) -> list[Tensor]:
        """Random values of the other inputs."""
        return [
            self._draw(given, torch.rand(batch, given.channels, height, width, generator=random))
            for given in self.inputs
        ]

    def _draw(self, given: GraphInput, values: Tensor) -> Tensor:
        if given.type == "float32":
            return values * 2 - 1
        return (values > 0.5).to(torch.uint8) if given.channels == 1 else (values * 255).to(torch.uint8)


class Grayscale(Derivation):
    """Luma."""

    def forward(self, photo: Tensor) -> Tensor:
        """Photos (B, 3, H, W) to (B, 1, H, W)."""
        return grayscale(photo)


class LowResolution(Derivation):
    """The means of squares of pixels, enlarged bicubically: within a level of `derive_input`, two on noise."""

    line: Tensor

    def __init__(self, side: int) -> None:
        super().__init__()
        self.multiple = side
        # Output pixel i lies at (i + 0.5) / side on the grid of the means, whose pixel j lies at j + 0.5.
        places = 0.5 - (torch.arange(5 * side, dtype=torch.float64) - 2 * side + 0.5) / side
        self.register_buffer("line", _keys_cubic(places).float(), persistent=False)

    def forward(self, photo: Tensor) -> Tensor:
        """Photos (B, 3, H, W) to (B, 3, H, W)."""
        batch, channels, height, width = photo.shape
        side = self.multiple
        squares = photo.float().reshape(batch * channels, 1, height // side, side, width // side, side)
        small = squares.mean(dim=(3, 5)).round()
        large = self._enlarge(self._enlarge(small, along=3), along=2)
        return large.reshape(batch, channels, height, width).to(torch.uint8)

    def _enlarge(self, image: Tensor, along: int) -> Tensor:
        """(N, 1, H, W) with the height or the width times `multiple`, in whole levels."""
        side = self.multiple
        kernel = self.line[None, None, None, :] if along == 3 else self.line[None, None, :, None]
        stride, padding = ((1, side), (0, 2 * side)) if along == 3 else ((side, 1), (2 * side, 0))
        total = F.conv_transpose2d(image, kernel, stride=stride, padding=padding)
        weight = F.conv_transpose2d(torch.ones_like(image), kernel, stride=stride, padding=padding)  # less at borders
        return (total / weight).round().clamp(0, 255)


class Blur(Derivation):
    """Gaussian blur."""

    line: Tensor

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.register_buffer("line", gaussian_line(sigma), persistent=False)

    def forward(self, photo: Tensor) -> Tensor:
        """Photos (B, 3, H, W) to (B, 3, H, W)."""
        batch, channels, height, width = photo.shape
        image = photo.reshape(batch * channels, 1, height, width)
        return filter_twice(image, self.line).reshape(batch, channels, height, width)


class Hole(Derivation):
    """Covers the pixels of a mask: with white, or with those of another picture."""

    def __init__(self, fill: str) -> None:
        super().__init__()
        self.inputs = (GraphInput("mask", 1, "uint8", "not 0 in the hole"),)
        if fill == "noise":
            self.inputs += (GraphInput("filling", 3, "uint8", "what fills the hole; noise from 0 to 255 in training"),)

    def forward(self, photo: Tensor, mask: Tensor, filling: Tensor | None = None) -> Tensor:
        """Photos (B, 3, H, W) and masks (B, 1, H, W) to (B, 3, H, W)."""
        return torch.where(mask > 0, torch.full_like(photo, 255) if filling is None else filling, photo)


class Grain(Derivation):
    """Adds noise with a standard deviation of `amount` levels."""

    inputs = (GraphInput("grain", 3, "float32", "standard normal numbers"),)

    def __init__(self, amount: float) -> None:
        super().__init__()
        self.amount = amount

    def forward(self, photo: Tensor, grain: Tensor) -> Tensor:
        """Photos and standard normal numbers, both (B, 3, H, W), to (B, 3, H, W)."""
        return (photo + self.amount * grain).round().clamp(0, 255).to(torch.uint8)


def make_derivation(data: DataSettings, smallest: int) -> Derivation | None:
    """The derivation of a run's inputs as a part of a graph; None where nothing is derived, or not by tensors alone.

    Args:
        data: the run's data settings.
        smallest: the smallest height or width of a picture, in pixels.
    """
    amount = _amount(data)
    match data.operation:
        case "grayscale":
            return Grayscale()
        case "superres" if amount.is_integer():
            return LowResolution(int(amount))
        case "blur" if len(gaussian_line(amount)) // 2 < smallest:
            return Blur(amount)
        case "inpaint":
            return Hole(read_argument(data.source, "fill"))
        case "noise":
            return Grain(amount)
    return None


def describe_derivation(data: DataSettings, derivation: Derivation | None) -> dict[str, Any] | None:
    """How inputs are derived, for the description of a file; None for a run that derives nothing."""
    if data.operation in (None, "lab"):
        return None
    return {
        "operation": data.operation,
        "amount": _amount(data) or None,
        "inside": derivation is not None,
        "inputs": [given._asdict() for given in derivation.inputs] if derivation else [],
    }


def _amount(data: DataSettings) -> float:
    return float(data.source.get("amount") or DEFAULT_AMOUNTS.get(data.operation or "", 0.0))


def _keys_cubic(distance: Tensor) -> Tensor:
    """The weights of bicubic interpolation (Keys 1981) at distances in pixels."""
    near = distance.abs()
    inner = ((CUBIC + 2) * near - (CUBIC + 3)) * near**2 + 1
    outer = CUBIC * (((near - 5) * near + 8) * near - 4)
    return torch.where(near < 1, inner, torch.where(near < 2, outer, 0.0))
