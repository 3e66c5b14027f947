"""Reads and writes what Pillow cannot hold: PNG, PPM and JPEG 2000 of deep colour, NumPy arrays.

PNG and PPM take OpenCV, JPEG 2000 takes imagecodecs, and TIFF tifffile, all in the extra `scientific`.
"""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

from pix2pix.core.extras import import_extra
from pix2pix.data.images import tiff
from pix2pix.data.images.memory_file import File
from pix2pix.data.images.picture_files import UnsupportedError, read_bytes, read_npy, read_npy_shape
from pix2pix.data.images.value_range import describe_type

PILLOW_DEEP_MODES = {"I", "F", "I;16", "I;16B", "I;16L", "I;16N"}  # more than 8 bits in one channel
CODESTREAM = b"\xff\x4f\xff\x51"  # of JPEG 2000: its start, and the marker of its size (ITU-T T.800, A.5.1)
BITS_OF_FIRST_COMPONENT = 42  # bytes from there
AV1_SETTINGS = b"av1C"  # of AVIF: a box whose third byte says whether pixels have more than 8 bits
MOST_COLOURS = 4  # an array of more channels than that has them in its last axis


def exceeds_pillow(image: Image.Image, path: File) -> bool:
    """Whether Pillow would silently lose bits, channels or pages of an open picture.

    Raises UnsupportedError for a picture that no other reader holds either.
    """
    if image.format == "TIFF":
        return tiff.exceeds_pillow(image)
    if image.format == "PNG":
        tiles = getattr(image, "tile", [])
        return image.mode not in PILLOW_DEEP_MODES and any(str(tile[3]).endswith(";16B") for tile in tiles)
    return image.format in DEEPER and DEEPER[image.format](image, path)


def _is_deep_ppm(image: Image.Image, path: File) -> bool:
    """Whether a PPM has 16 bits. Pillow scales what ends elsewhere, as classes must not be."""
    arguments = getattr(image, "tile", [])[0][3]
    most = arguments[1] if isinstance(arguments, tuple) else 65535 if image.mode == "I" else 255
    if image.mode != "F" and most not in {1, 255, 65535}:
        raise UnsupportedError(f"its levels end at {most}; 255 and 65535 are read. Save it as PNG.")
    return image.mode != "F" and most == 65535


def _is_deep_jpeg2000(image: Image.Image, path: File) -> bool:
    content = read_bytes(path)
    bits = content[content.index(CODESTREAM) + BITS_OF_FIRST_COMPONENT]  # less one; the highest bit is for signed ones
    return bits > 7 and not (bits == 15 and image.mode == "I;16")


def _refuse_deep_avif(image: Image.Image, path: File) -> bool:
    content = read_bytes(path)
    # The AV1 configuration box; bit 6 of its third byte is `high_bitdepth`.
    place = content.find(AV1_SETTINGS)
    if place >= 0 and content[place + len(AV1_SETTINGS) + 2] & 0x40:
        raise UnsupportedError("AVIF of more than 8 bits a channel. Save it as PNG or TIFF of 16 bits.")
    return False


DEEPER: dict[str, Callable[[Image.Image, File], bool]] = {
    "PPM": _is_deep_ppm,
    "JPEG2000": _is_deep_jpeg2000,
    "AVIF": _refuse_deep_avif,
}


def read_exactly(path: File, kind: str | None) -> np.ndarray:
    """A picture that exceeds Pillow, (H, W, C), in the format that Pillow calls `kind`."""
    if kind == "TIFF":
        return tiff.read_tiff(path)
    return _read_jpeg2000(path) if kind == "JPEG2000" else _read_with_opencv(path)


def _read_with_opencv(path: File) -> np.ndarray:
    """A PNG or PPM of 16 bits, uint16 (H, W, C)."""
    cv2 = import_extra("cv2", "PNG or PPM in 16-bit colour", "scientific")
    array = cv2.imdecode(np.frombuffer(read_bytes(path), np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None:
        raise ValueError("a damaged file")
    return _swap_red_and_blue(array.reshape(*array.shape[:2], -1))


def _read_jpeg2000(path: File) -> np.ndarray:
    """The values of a JPEG 2000 as they are, (H, W, C)."""
    array = import_extra("imagecodecs", "JPEG 2000 of more than 8 bits", "scientific").jpeg2k_decode(read_bytes(path))
    return array.reshape(*array.shape[:2], -1)


def read_numpy(path: File) -> np.ndarray:
    """The array of a `.npy` file, (H, W, C)."""
    array = read_npy(path)
    # Arrays of pictures come in both orders; the shape decides.
    if _is_channels_first(array.shape):
        array = np.moveaxis(array, 0, -1)
    return array.reshape(*array.shape[:2], -1)


def read_numpy_size(path: File) -> tuple[int, int]:
    """Height and width of the array of a `.npy` file, from its header alone."""
    shape = read_npy_shape(path)
    height, width = shape[1:] if _is_channels_first(shape) else shape[:2]
    return height, width


def _is_channels_first(shape: tuple[int, ...]) -> bool:
    """Whether an array is (C, H, W), as PyTorch saves pictures: few channels in front, and too many behind."""
    return len(shape) == 3 and shape[0] <= MOST_COLOURS < shape[2]


def encode_array(pixels: np.ndarray, suffix: str) -> bytes:
    """The bytes of a file of pixels (H, W, C) that no Pillow picture holds. Raises ValueError for other formats."""
    file = io.BytesIO()
    if suffix == ".npy":
        np.save(file, pixels)
    elif suffix in tiff.SUFFIXES:
        colour = "rgb" if pixels.shape[2] in {3, 4} else "minisblack"
        tifffile = import_extra("tifffile", "writing such a TIFF", "scientific")
        tifffile.imwrite(file, pixels, photometric=colour, planarconfig="contig")
    elif suffix == ".png" and pixels.dtype == np.uint16 and pixels.shape[2] in {3, 4}:
        file.write(
            import_extra("cv2", "PNG in 16-bit colour", "scientific").imencode(".png", _swap_red_and_blue(pixels))[1]
        )
    else:
        found = f"{describe_type(pixels.dtype)} in {pixels.shape[2]} channels"
        raise ValueError(f"{found} cannot be written as {suffix}. Choose tif or npy.")
    return file.getvalue()


def _swap_red_and_blue(pixels: np.ndarray) -> np.ndarray:
    """Converts (H, W, 3 or 4) between RGB and OpenCV's BGR; one channel stays as it is."""
    return pixels if pixels.shape[2] == 1 else pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
