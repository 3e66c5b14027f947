"""Makes one pair from its files: derive, resize, crop, put side by side."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from PIL import Image, ImageOps

from pix2pix.data.direction import Letter
from pix2pix.data.images.decode import array_to_picture, open_picture, pil_to_tensor
from pix2pix.data.images.pictures import to_picture
from pix2pix.data.images.resize import Size, flip_size
from pix2pix.data.sources.derivations import Operation, derive_input
from pix2pix.data.sources.image_spec import split_halves
from pix2pix.datasets.check.file_info import FileInfo
from pix2pix.datasets.check.measure import to_rgb
from pix2pix.datasets.prepare.edge_detector import detect_edges

Fit = Literal["crop", "stretch", "pad"]
FITS: dict[str, Callable[..., Image.Image]] = {
    "crop": ImageOps.fit,
    "pad": partial(ImageOps.pad, color="white"),
    "stretch": lambda image, size, method: image.resize(size, method),
}
FOLDER_MODES = {"L", "RGB", "RGBA", "P", "I;16"}  # Pillow's modes that the layout `folders` keeps


@dataclass(frozen=True)
class Recipe:
    """All settings that determine the pixels of a prepared data set.

    Args:
        operation: makes A from B; None takes A and B from files.
        amount: the strength of the operation; None for its default.
        fill: the content of holes.
        detector: an ONNX file that detects edges instead of Canny's algorithm.
        size: height and width of each image; None keeps the sizes.
        fit: `crop` scales to cover and cuts out the centre, `pad` scales to fit and adds white, `stretch` distorts.
        label_maps: which images are label maps, whose colours must not mix: A, B, AB or an empty text.
        layout: `side-by-side` files of 8 bits, or two `folders`, which keep depth and alpha.
        suffix: the suffix of the files.
        seed: the seed of holes and noise, and of the split.
    """

    operation: Operation | None = None
    amount: float | None = None
    fill: Literal["white", "noise"] = "white"
    detector: str | None = None
    size: Size | None = None
    fit: Fit = "crop"
    label_maps: str = ""
    layout: Literal["side-by-side", "folders"] = "side-by-side"
    suffix: Literal["png", "jpg"] = "png"
    seed: int = 0

    def make_pair(self, name: str, files: tuple[Path, ...]) -> tuple[Image.Image, Image.Image]:
        """Makes A and B from the files, both of the size of the recipe. Raises ValueError for an unreadable file."""
        if self.operation:
            target = self.make_image(files[0], "B")
            return self._derive_source(target, name), target
        if len(files) == 2:
            return self.make_image(files[0], "A"), self.make_image(files[1], "B")
        a, b = split_halves(_read_plain(files[0]), files[0])
        return self._resize(self._convert_mode(a), "A"), self._resize(self._convert_mode(b), "B")

    def make_image(self, file: Path, side: Letter) -> Image.Image:
        """Makes one image from a file of its own."""
        return self._resize(self._convert_mode(_read_plain(file)), side)

    def can_hold(self, info: FileInfo) -> bool:
        """Whether the layout and the format of the output can hold the pixels of a file."""
        if self.operation or self.layout == "folders":
            return info.is_plain or (info.mode in FOLDER_MODES and not self.operation)
        return info.is_plain and not info.has_transparency

    def _convert_mode(self, image: Image.Image) -> Image.Image:
        """Converts to a mode that the layout can store."""
        if self.layout == "folders" and image.mode in FOLDER_MODES and not self.operation:
            return image
        return image.convert("RGBA") if self.layout == "folders" and image.has_transparency_data else to_rgb(image)

    def _resize(self, image: Image.Image, side: str) -> Image.Image:
        if self.size is None or flip_size(image.size) == self.size:
            return image
        is_label_map = side in self.label_maps or image.mode == "P"
        method = Image.Resampling.NEAREST if is_label_map else Image.Resampling.BICUBIC
        return FITS[self.fit](image, flip_size(self.size), method=method)

    def _derive_source(self, target: Image.Image, name: str) -> Image.Image:
        assert self.operation is not None
        if self.detector and self.operation == "edges":
            return detect_edges(target, self.detector)
        made = derive_input(
            pil_to_tensor(target.convert("RGB"), "RGB"), name, self.operation, self.amount, self.fill, self.seed
        )
        return to_picture(made.float() / 127.5 - 1)


def _read_plain(file: Path) -> Image.Image:
    """The picture in a file; arrays of 8 bits become pictures."""
    picture = open_picture(file)
    picture = picture if isinstance(picture, Image.Image) else array_to_picture(picture)
    assert isinstance(picture, Image.Image), file  # others are copied or refused before anything is written
    return picture


def concat_halves(a: Image.Image, b: Image.Image) -> Image.Image:
    """Puts A (left) and B side by side; both have the same size."""
    assert a.size == b.size, (a.size, b.size)
    combined = Image.new("RGB", (a.width + b.width, a.height))
    combined.paste(a, (0, 0))
    combined.paste(b, (a.width, 0))
    return combined
