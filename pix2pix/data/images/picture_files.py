"""Opens untrusted picture files safely: regular files in known formats, of limited size in memory.

A bad file raises an error that says why, before it can block, fill the memory or reach another program.
"""

import io
import math
import os
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from pix2pix.core.errors import describe_broken_link
from pix2pix.core.extras import MissingExtraError
from pix2pix.core.free_memory import free_memory
from pix2pix.data.images.memory_file import File

# Pillow decodes these by itself. It hands others to programs: EPS to Ghostscript, whatever the suffix of the file.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
# Formats that are read only from files with these suffixes.
FORMATS_BY_SUFFIX = {".jp2": "JPEG2000", ".avif": "AVIF", ".ppm": "PPM", ".pgm": "PPM", ".pbm": "PPM", ".pnm": "PPM"}
MAX_PIXELS_PER_BYTE = {"raw": 8, "zip": 8 * 1032}  # by decoder of Pillow: one bit a pixel, times deflate's limit
BYTES_PER_PIXEL = 8  # in memory: Pillow's pixel and the tensor made from it
# FFmpeg's names of self-contained videos. Its other formats are lists of files and addresses that it would open.
CONTAINERS = {
    "format_whitelist": "mov,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,ogg,asf,gif",
    "protocol_whitelist": "file",
}
LARGE = 2**28  # bytes; smaller pictures are not compared with the free memory
MAX_COMPRESSION = 3000  # more than deflate, LZW and codecs for photos reach
FILE_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


class UnreadablePictureError(ValueError):
    """A file that cannot be read as a picture."""


class UnsupportedError(ValueError):
    """A sound file that cannot be used as it is. The message says what to do with it."""


def require_regular_file(file: Path) -> int:
    """The number of bytes in a regular file.

    Raises:
        ValueError: for a pipe, a device or the like, which reading might wait for without end.
        FileNotFoundError: when there is no such file.
    """
    status = file.stat()
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        raise ValueError(f"{FILE_KINDS.get(kind, 'a special file')}, no file")
    return status.st_size


@contextmanager
def report_unreadable(path: File) -> Iterator[None]:
    """Turns every error inside into an UnreadablePictureError that names the file, but for one that is not there."""
    try:
        yield
    except FileNotFoundError as error:
        if isinstance(path, Path) and path.is_symlink():
            raise UnreadablePictureError(describe_broken_link(path)) from error
        raise
    except (UnsupportedError, MissingExtraError) as error:
        raise UnreadablePictureError(f"{path}: {error}") from error
    except Exception as error:  # a damaged file makes decoders raise errors of any type
        reason = (str(error) or type(error).__name__).replace(f" {str(path)!r}", "")  # Pillow names the file again
        raise UnreadablePictureError(
            f"{path}: cannot be read as a picture ({reason}). Replace or remove the file."
        ) from error


@contextmanager
def open_image(file: File, formats: tuple[str, ...] | None = None) -> Iterator[Image.Image]:
    """Opens a picture with Pillow in one of `formats`, by default those of its suffix, without reading its pixels.

    Raises:
        ValueError: for anything but a regular file, for a header with more pixels than the file can hold, and for a
            picture larger than the free memory.
        PIL.UnidentifiedImageError: for any other format.
    """
    length = file.getbuffer().nbytes if isinstance(file, io.BytesIO) else require_regular_file(file)
    if not length:
        raise ValueError("the file is empty")
    # For as long as the picture is open: of some TIFF Pillow compares the size only when it reads the pixels.
    with lift_pixel_limit(), _open(file, formats or known_formats(file)) as image:
        if image.format == "TIFF":
            image.filename = ""  # Pillow maps grey files into memory by it, and shears those that lie on their side
        limit = max((MAX_PIXELS_PER_BYTE.get(str(tile[0]), math.inf) for tile in image.tile), default=math.inf)
        if image.width * image.height > limit * length:
            raise ValueError(f"its header says {image.width}x{image.height}, but it has {length} bytes")
        require_memory(image.width * image.height * BYTES_PER_PIXEL)
        yield image


def _open(file: File, formats: tuple[str, ...]) -> ImageFile.ImageFile:
    try:
        return Image.open(file, formats=formats)
    except UnidentifiedImageError:
        _refuse_other_suffix(file)
        raise


def _refuse_other_suffix(file: File) -> None:
    """Raises UnsupportedError for a file in a format that is read under another suffix alone."""
    for suffix, name in FORMATS_BY_SUFFIX.items():
        try:
            Image.open(file, formats=(name,)).close()
        except (UnidentifiedImageError, OSError, ValueError):
            continue
        raise UnsupportedError(f"its content is {name}, not that of {file.suffix} files. Call it {suffix}.")


def known_formats(file: File) -> tuple[str, ...]:
    """The formats in which a file of this name is read."""
    own = FORMATS_BY_SUFFIX.get(file.suffix.lower())
    return (*FORMATS, own) if own else FORMATS


_limit_lock = threading.Lock()
_limits: list[int | None] = []  # Pillow's limit, once for each thread that has lifted it


@contextmanager
def lift_pixel_limit() -> Iterator[None]:
    """Lets Pillow open pictures of any size: it takes large ones for attacks, where free memory is the limit here."""
    with _limit_lock:
        _limits.append(_limits[0] if _limits else Image.MAX_IMAGE_PIXELS)
        Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        with _limit_lock:
            limit = _limits.pop()
            Image.MAX_IMAGE_PIXELS = None if _limits else limit


def read_bytes(file: File) -> bytes:
    """All bytes of a file. Raises ValueError when memory cannot hold them."""
    if isinstance(file, io.BytesIO):
        return file.getvalue()
    require_memory(require_regular_file(file))
    return file.read_bytes()


def require_memory(needed: int, length: int | None = None) -> None:
    """Raises ValueError for pixels that no file of `length` bytes can hold, UnsupportedError for too little memory."""
    if needed <= LARGE:
        return
    if length is not None and needed > MAX_COMPRESSION * length:
        raise ValueError(f"its header says {needed:,} bytes of pixels, but it has {length}")
    if needed > (free := free_memory()):
        raise UnsupportedError(
            f"it takes {needed / 1e9:,.1f} GB of memory, {free / 1e9:,.1f} GB are free. Cut it into smaller pictures."
        )


def read_npy(file: File) -> np.ndarray:
    """Reads the array in a `.npy` file without executing code in it.

    Raises:
        ValueError: when the file is damaged, holds objects, or is shorter than its header says.
    """
    content = read_bytes(file)
    stream = io.BytesIO(content)
    shape, dtype, order = _read_npy_header(stream, len(content))
    flat = np.frombuffer(content, dtype, math.prod(shape), stream.tell())
    return flat.reshape(shape, order=order).copy()


def read_npy_shape(file: File) -> tuple[int, ...]:
    """The shape of the array in a `.npy` file, from its header alone. Raises the errors of `read_npy`."""
    if isinstance(file, io.BytesIO):
        return _read_npy_header(io.BytesIO(file.getvalue()), file.getbuffer().nbytes)[0]
    length = require_regular_file(file)
    with file.open("rb") as stream:
        return _read_npy_header(stream, length)[0]


def _read_npy_header(stream: BinaryIO, length: int) -> tuple[tuple[int, ...], np.dtype, Literal["C", "F"]]:
    """Shape, type and memory order of a picture in an array file of `length` bytes. Raises ValueError for others."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    version = np.lib.format.read_magic(stream)
    if version not in readers:
        raise ValueError(f"an array file of version {version}")
    shape, by_columns, dtype = readers[version](stream)
    if dtype.hasobject:
        raise ValueError("an array of objects")
    if len(shape) not in {2, 3} or not all(side > 0 for side in shape):
        raise ValueError(f"an array of shape {shape}; it must be (height, width) or (height, width, channels)")
    needed, available = math.prod(shape) * dtype.itemsize, length - stream.tell()
    if needed > available or not dtype.itemsize:
        raise ValueError(f"its header says {needed:,} bytes of pixels, but it has {available:,}")
    return shape, dtype, "F" if by_columns else "C"


def drop_suffix(name: str) -> str:
    """The name or path of a picture without its suffix, which may be `.nii.gz`."""
    name = name[: -len(".gz")] if name.lower().endswith(".nii.gz") else name
    return name.rpartition(".")[0] or name


def is_utf8(name: str) -> bool:
    """Whether a file's name is UTF-8; others cannot be written to pages and tables."""
    if name.isascii():
        return True
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def require_utf8_names(folder: Path, names: Sequence[str]) -> None:
    """Raises ValueError for the first name that is not UTF-8."""
    bad_name = next((name for name in names if not is_utf8(name)), None)
    if bad_name is not None:
        raise ValueError(
            f"{folder}: the name of the picture {printable_name(bad_name)} is not UTF-8. Rename it; "
            "`convmv -f latin1 -t utf8 -r --notest FOLDER` renames all files of a folder."
        )


def printable_name(name: str) -> str:
    """A name for messages, with bytes that are not UTF-8 written as `\\xe9`."""
    return os.fsencode(name).decode(errors="backslashreplace")
