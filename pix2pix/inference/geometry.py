"""Sizes, crops and padding of pictures, and the canvas that large pictures are assembled on."""

from pathlib import Path

import numpy as np
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from pix2pix.data.images.decode import Picture, read_size


class Canvas:
    """A picture of height x width that is filled from the top downwards, in bands of its full width."""

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        self.picture: Picture | None = None

    def put(self, band: Picture, top: int) -> None:
        """Puts a band at row `top`. The first band decides the mode, palette or dtype of the picture."""
        if isinstance(band, Image.Image):
            if self.picture is None:
                self.picture = Image.new(band.mode, (self.width, self.height))
                if band.mode == "P":
                    self.picture.putpalette(band.getpalette() or [])
            assert isinstance(self.picture, Image.Image)
            self.picture.paste(band, (0, top))
        else:
            if self.picture is None:
                self.picture = np.empty((self.height, self.width, band.shape[2]), band.dtype)
            assert isinstance(self.picture, np.ndarray)
            self.picture[top : top + len(band)] = band


def round_up(length: int, multiple: int) -> int:
    """The smallest multiple of `multiple` that is at least `length`."""
    return -(-length // multiple) * multiple


def pad_to_multiple(image: Tensor, multiple: int) -> Tensor:
    """Pads (B, C, H, W) by reflection, on the right and below, until `multiple` divides both sides."""
    return pad_to_size(image, round_up(image.shape[2], multiple), round_up(image.shape[3], multiple))


def pad_to_size(image: Tensor, height: int, width: int) -> Tensor:
    """Pads (B, C, H, W) on the right and below: by reflection, or by edge pixels if the image is too small for that."""
    # torch can reflect at most one pixel less than the image has.
    right, below = width - image.shape[3], height - image.shape[2]
    mode = "reflect" if right < image.shape[3] and below < image.shape[2] else "replicate"
    return F.pad(image, (0, right, 0, below), mode=mode)


def picture_size(picture: Picture | str | Path) -> tuple[int, int]:
    """Height and width of a picture; of a file, only the header is read."""
    if isinstance(picture, str | Path):
        return read_size(Path(picture))
    return (picture.height, picture.width) if isinstance(picture, Image.Image) else (len(picture), picture.shape[1])
