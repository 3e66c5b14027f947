"""Converts between RGB and CIE Lab, for colourisation (paper, section 4, colorization)."""

import torch
from torch import Tensor

# sRGB to CIE XYZ under D65, and the white point that belongs to it (IEC 61966-2-1)
TO_XYZ = torch.tensor([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
FROM_XYZ = torch.linalg.inv(TO_XYZ.double())
WHITE = TO_XYZ.sum(dim=1)


def rgb_to_lab(image: Tensor) -> Tensor:
    """sRGB (..., 3, H, W) in [-1, 1] to CIE Lab: L in 0 to 100, a and b about -110 to 110. In its precision."""
    rgb = (image.clamp(-1, 1) + 1) / 2
    # sRGB -> linear light -> CIE XYZ relative to white D65 -> Lab, as CIE 15 and IEC 61966-2-1 define them. torch.where
    # computes both branches, so powers are kept away from 0, where they have no gradient.
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = (TO_XYZ.double() / WHITE.double()[:, None]).to(linear)
    xyz = (to_xyz @ linear.flatten(-2)).unflatten(-1, linear.shape[-2:])
    f = torch.where(xyz > (6 / 29) ** 3, xyz.clamp(min=1e-12) ** (1 / 3), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = f.unbind(dim=-3)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=-3)


def lab_to_rgb(lab: Tensor) -> Tensor:
    """CIE Lab (..., 3, H, W) to sRGB in [-1, 1]; colours outside sRGB are clipped."""
    lightness, a, b = lab.double().unbind(dim=-3)
    y = (lightness + 16) / 116
    f = torch.stack([y + a / 500, y, y - b / 200], dim=-1)
    xyz = torch.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * WHITE.double().to(lab.device)
    linear = (xyz @ FROM_XYZ.to(lab.device).T).clamp(0, 1)
    rgb = torch.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear.clamp(min=1e-12) ** (1 / 2.4) - 0.055)
    return (rgb.movedim(-1, -3).clamp(0, 1) * 2 - 1).to(lab.dtype)


def split_lightness(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Splits RGB, uint8 (..., 3, H, W), into lightness (..., 1, H, W) and Lab's a and b (..., 2, H, W), both uint8.

    Lightness 0 to 100 is scaled to 0 to 255, like a black-and-white photo; a and b are shifted by 128.
    """
    lab = rgb_to_lab((picture.to(torch.float32) / 127.5 - 1).double())
    lightness, colour = lab[..., :1, :, :] * 2.55, lab[..., 1:, :, :] + 128
    return lightness.round().to(torch.uint8), colour.round().clamp(0, 255).to(torch.uint8)


def join_lightness(lightness: Tensor, colour: Tensor) -> Tensor:
    """The RGB image of a lightness (..., 1, H, W) and its a and b (..., 2, H, W), all in [-1, 1]."""
    return lab_to_rgb(torch.cat([(lightness + 1) * 50, (colour + 1) * 127.5 - 128], dim=-3))
