"""Reads the size of a picture, and assembles large pictures on a canvas.

`pix2pix.inference.scale` decides at which size a picture is translated.
"""

from pathlib import Path

import numpy as np
from PIL import Image

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


def picture_size(picture: Picture | str | Path) -> tuple[int, int]:
    """Height and width of a picture; of a file, only the header is read."""
    if isinstance(picture, str | Path):
        return read_size(Path(picture))
    return (picture.height, picture.width) if isinstance(picture, Image.Image) else (len(picture), picture.shape[1])
