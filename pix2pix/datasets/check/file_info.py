"""What a file of a pair holds, as training reads it: size, depth, channels, transparency."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from pix2pix.data.images.decode import Picture, to_known_type
from pix2pix.data.images.deep_formats import PILLOW_DEEP_MODES
from pix2pix.data.images.picture_files import open_image
from pix2pix.data.images.resize import Size, flip_size
from pix2pix.data.images.tiff import ORIENTATION, Bands
from pix2pix.data.images.value_range import Depth, depth_of


@dataclass(frozen=True)
class FileInfo:
    """What a file holds, as training reads it.

    Args:
        size: height and width in pixels, upright.
        mode: Pillow's, or the number of channels of an array.
        format: Pillow's; None for arrays.
        is_rotated: whether EXIF rotates it.
        has_transparency: whether any pixel is not opaque.
        depth: bits of its pixels.
        channels: their number.
        has_colours: whether three channels are red, green and blue.
        limits: the lowest and highest value.
    """

    size: Size
    mode: str
    format: str | None
    is_rotated: bool
    has_transparency: bool
    depth: Depth
    channels: int
    has_colours: bool
    limits: tuple[float, float]

    @property
    def is_ordinary(self) -> bool:
        """Whether it is a picture of 8 bits that Pillow holds, and so converts to grey or colour."""
        return self.depth == 8 and self.format is not None

    @property
    def is_plain(self) -> bool:
        """Whether it is grey or RGB of 8 bits, in any format."""
        return self.is_ordinary or (self.depth == 8 and self.channels in {1, 3} and self.has_colours)

    def has_channels(self, channels: int) -> bool:
        """Whether training can read it with this number of channels."""
        if self.is_ordinary:
            return channels in {1, 3, 4, self.channels}
        is_mixed = (self.channels, channels) == (3, 1) and self.has_colours
        return channels == self.channels or (self.channels, channels) == (1, 3) or is_mixed


def describe_reason(error: Exception, file: Path) -> str:
    """Why training cannot read a file, without its name and what to do."""
    reason = str(error).removeprefix(f"{file}: ").removeprefix("cannot be read as a picture (")
    return reason.removesuffix("). Replace or remove the file.")


def describe_file(file: Path, picture: Picture) -> FileInfo:
    """What a file holds, of which `picture` was decoded. Raises ValueError for pixels that training refuses."""
    known = isinstance(picture, Image.Image)
    array = None if known and picture.mode not in PILLOW_DEEP_MODES else to_known_type(picture, str(file))
    return FileInfo(
        size=flip_size(picture.size) if known else (picture.shape[0], picture.shape[1]),
        mode=picture.mode if known else f"{picture.shape[2]} channels",
        format=picture.format if known else None,
        is_rotated=_is_rotated(file, picture),
        has_transparency=known and _has_transparent_pixels(picture),
        depth=8 if array is None else depth_of(array.dtype),
        channels=len(picture.getbands()) if known else picture.shape[2],
        has_colours=not isinstance(picture, Bands),
        limits=(0, 255) if array is None else (float(array.min()), float(array.max())),
    )


def _is_rotated(file: Path, picture: Picture) -> bool:
    """Whether EXIF rotates the picture in a file, which is upright once it is decoded."""
    # Asking a PNG without EXIF for its orientation would make Pillow decode it again.
    if isinstance(picture, Image.Image) and picture.format == "PNG" and "exif" not in picture.info:
        return False
    try:
        with open_image(file) as image:
            return image.getexif().get(ORIENTATION, 1) not in {0, 1}
    except (ValueError, OSError):  # no picture of Pillow's
        return False


def _has_transparent_pixels(image: Image.Image) -> bool:
    """Whether any pixel is not opaque."""
    if not image.has_transparency_data:
        return False
    return image.convert("RGBA").getchannel("A").histogram()[255] < image.width * image.height
