"""Tensors in [-1, 1] as pictures, and pictures side by side."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

GAP = 4
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def to_picture(image: Tensor) -> Image.Image:
    """An image (C, H, W) in [-1, 1] with 1, 3 or 4 channels as a Pillow picture, rounded to 8 bits."""
    if image.shape[0] not in MODES:
        raise ValueError(
            f"image with {image.shape[0]} channels: only 1, 3 and 4 can be shown. Choose channels to show."
        )
    pixels = ((image.detach().float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return Image.fromarray(pixels.permute(1, 2, 0).squeeze(-1).cpu().numpy())


def sheet(rows: Sequence[Sequence[Tensor]], titles: Sequence[str] = ()) -> Image.Image:
    """Rows of images of one size, side by side on white, under their titles; small ones are enlarged to 128 pixels."""
    pictures = [[to_picture(image).convert("RGB") for image in row] for row in rows]
    scale = max(1, 128 // pictures[0][0].width)
    width, height = (side * scale for side in pictures[0][0].size)
    top = 20 if titles else GAP
    page = Image.new("RGB", (len(rows[0]) * (width + GAP) + GAP, top + len(rows) * (height + GAP)), "white")
    for column, title in enumerate(titles):
        left = GAP + column * (width + GAP)
        ImageDraw.Draw(page).text((left, 3), title, fill="#444", font=ImageFont.load_default(12))
    for row, line in enumerate(pictures):
        for column, picture in enumerate(line):
            enlarged = picture.resize((width, height), Image.Resampling.NEAREST)
            page.paste(enlarged, (GAP + column * (width + GAP), top + row * (height + GAP)))
    return page


def save(picture: Image.Image, path: Path, **options: Any) -> None:
    """Writes a picture whole or not at all, in the format of the suffix and with its options."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        picture.save(part, format=Image.registered_extensions()[path.suffix.lower()], **options)
        os.replace(part, path)  # noqa: PTH105
    finally:
        part.unlink(missing_ok=True)
