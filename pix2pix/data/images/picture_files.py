"""Opens untrusted picture files safely: regular files in known formats, of limited size in memory.

Whatever a file holds or is, it is refused in words before anything is waited for, allocated or handed to another
program.
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
from PIL import Image

from pix2pix.core.free_memory import free_memory
from pix2pix.data.sources.shard_member import File

# Pillow decodes these by itself. Others it hands to programs: EPS to Ghostscript, whatever the file is called.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
# These are read only from files that are named so.
FORMATS_BY_SUFFIX = {
    ".jp2": "JPEG2000",
    ".avif": "AVIF",
    ".ppm": "PPM",
    ".pgm": "PPM",
    ".pbm": "PPM",
    ".pnm": "PPM",
}
PIXELS_OF_A_BYTE = {"raw": 8, "zip": 8 * 1032}  # at most, by Pillow's decoders: a bit each, and as far as deflate goes
BYTES_OF_A_PIXEL = 8  # in memory: Pillow's pixel and the tensor that is made of it
# FFmpeg's names of what is a film by itself. Others are lists of files and addresses, which it would read, too.
CONTAINERS = {
    "format_whitelist": "mov,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,ogg,asf,gif",
    "protocol_whitelist": "file",
}
LARGE = 2**28  # bytes; what is smaller is not worth a look at the memory
SMALLEST_SHARE = 3000  # no compression of photos, and neither deflate nor LZW, makes a file smaller than that
KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


class UnreadableError(ValueError):
    """A file that cannot be read as a picture."""


class UnsupportedError(ValueError):
    """A sound file that cannot be used as it is. The message says what to do with it."""


def require_regular_file(file: Path) -> int:
    """The bytes of a plain file. Raises ValueError for a pipe, a device and the like, on which one may wait for ever.

    Raises:
        ValueError: naming what it is.
        FileNotFoundError: when it is not there.
    """
    about = file.stat()
    kind = stat.S_IFMT(about.st_mode)
    if kind != stat.S_IFREG:
        raise ValueError(f"{KINDS.get(kind, 'something else')}, no file")
    return about.st_size


@contextmanager
def report_unreadable(path: File) -> Iterator[None]:
    """Turns whatever a damaged file provokes into an UnreadableError that names it; FileNotFoundError stays."""
    try:
        yield
    except FileNotFoundError:
        raise
    except UnsupportedError as error:
        raise UnreadableError(f"{path}: {error}") from error
    except Exception as error:  # decoders raise whatever the bytes happen to provoke
        reason = str(error) or type(error).__name__
        raise UnreadableError(f"{path}: cannot be read as a picture ({reason}). Replace or remove the file.") from error


@contextmanager
def open_image(file: File, formats: tuple[str, ...] | None = None) -> Iterator[Image.Image]:
    """A Pillow picture whose pixels are not read yet, in one of `formats`; by default those that the suffix allows.

    Raises:
        ValueError: for what is no file, a header that promises more than the file can hold, and a picture larger than
            the free memory.
        UnidentifiedImageError: when it is in none of the formats.
    """
    length = file.getbuffer().nbytes if isinstance(file, io.BytesIO) else require_regular_file(file)
    with lift_pixel_limit():
        image = Image.open(file, formats=formats or known_formats(file))
    with image:
        most = max((PIXELS_OF_A_BYTE.get(str(tile[0]), math.inf) for tile in image.tile), default=math.inf)
        if image.width * image.height > most * length:
            raise ValueError(f"its header says {image.width}x{image.height}, but it has {length} bytes")
        require_memory(image.width * image.height * BYTES_OF_A_PIXEL)
        yield image


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
    """All bytes of a file. Raises ValueError where they do not fit into memory."""
    if isinstance(file, io.BytesIO):
        return file.getvalue()
    require_memory(require_regular_file(file))
    return file.read_bytes()


def require_memory(needed: int, length: int | None = None) -> None:
    """Raises ValueError for pixels that no file of `length` bytes can hold, UnsupportedError for too little memory."""
    if needed <= LARGE:
        return
    if length is not None and needed > SMALLEST_SHARE * length:
        raise ValueError(f"its header says {needed:,} bytes of pixels, but it has {length}")
    if needed > (free := free_memory()):
        raise UnsupportedError(
            f"it takes {needed / 1e9:,.1f} GB of memory, {free / 1e9:,.1f} GB are free. Cut it into smaller pictures."
        )


def read_npy(file: File) -> np.ndarray:
    """The array in a `.npy` file, which executes nothing.

    Raises:
        ValueError: when it is damaged, holds objects, or its header promises more than it holds.
    """
    everything = read_bytes(file)
    stream = io.BytesIO(everything)
    shape, dtype, order = _read_npy_header(stream, len(everything))
    flat = np.frombuffer(everything, dtype, math.prod(shape), stream.tell())
    return flat.reshape(shape, order=order).copy()


def read_npy_shape(file: File) -> tuple[int, ...]:
    """The shape of the array in a `.npy` file, from its header alone; raises as `read_npy` does."""
    if isinstance(file, io.BytesIO):
        return _read_npy_header(io.BytesIO(file.getvalue()), file.getbuffer().nbytes)[0]
    length = require_regular_file(file)
    with file.open("rb") as stream:
        return _read_npy_header(stream, length)[0]


def _read_npy_header(stream: BinaryIO, length: int) -> tuple[tuple[int, ...], np.dtype, Literal["C", "F"]]:
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    version = np.lib.format.read_magic(stream)
    if version not in readers:
        raise ValueError(f"an array file of version {version}")
    shape, by_columns, dtype = readers[version](stream)
    if dtype.hasobject:
        raise ValueError("an array of objects")
    if len(shape) not in {2, 3} or not all(side > 0 for side in shape):
        raise ValueError(f"an array of shape {shape}; (height, width) or (height, width, channels) is needed")
    needed, there = math.prod(shape) * dtype.itemsize, length - stream.tell()
    if needed > there or not dtype.itemsize:
        raise ValueError(f"its header says {needed:,} bytes of pixels, but it has {there:,}")
    return shape, dtype, "F" if by_columns else "C"


def is_utf8(name: str) -> bool:
    """Whether a file's name is UTF-8: others cannot be written into pages and tables."""
    if name.isascii():
        return True
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def require_utf8_names(folder: Path, names: Sequence[str]) -> None:
    """Raises ValueError for the first name that is not UTF-8."""
    odd = next((name for name in names if not is_utf8(name)), None)
    if odd is not None:
        raise ValueError(
            f"{folder}: the name of the picture {printable_name(odd)} is not UTF-8. Rename it; "
            "`convmv -f latin1 -t utf8 -r --notest FOLDER` renames all of an old disk."
        )


def printable_name(name: str) -> str:
    """A name for messages: bytes that are no UTF-8 as `\\xe9`."""
    return os.fsencode(name).decode(errors="backslashreplace")
