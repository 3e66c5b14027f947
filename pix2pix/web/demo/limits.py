"""Limits of the demo on bytes, pixels and simultaneous requests, and the responses when they are exceeded."""

import asyncio
import io
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from PIL import Image, ImageOps, UnidentifiedImageError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from pix2pix.data.images.resize import Size, flip_size

FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
CLIENT_CLOSED_REQUEST = 499  # as nginx calls it
# By status. The rest of a body that is too slow or too large is not read.
HEADERS = {503: {"Retry-After": "1"}, 408: {"Connection": "close"}, 413: {"Connection": "close"}}
T = TypeVar("T")


@dataclass(frozen=True)
class Limits:
    """The limits of a request. `side` bounds the padding of very thin pictures."""

    bytes: int = 8 * 2**20
    pixels: int = 2**20
    side: int = 4096
    requests: int = 32
    pages: int = 64
    seconds: float = 20.0


class RequestRejected(HTTPException):
    """A rejected request, with an HTTP status and the reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason, HEADERS.get(status))


class ClientDisconnected(HTTPException):
    """The client disconnected before the response, which it does not read."""

    def __init__(self) -> None:
        super().__init__(CLIENT_CLOSED_REQUEST, "the client disconnected")


class ConcurrencyLimit:
    """Limits the number of simultaneous requests."""

    def __init__(self, limit: int, what: str) -> None:
        self.limit, self.what, self.active = limit, what, 0

    @contextmanager
    def acquire(self) -> Iterator[None]:
        """Counts the request while the block runs. Raises RequestRejected (503) at the limit."""
        if self.active >= self.limit:
            raise RequestRejected(503, f"{self.active} {self.what} are being served, the maximum. Try again soon.")
        self.active += 1
        try:
            yield
        finally:
            self.active -= 1


async def read_body(request: Request, limits: Limits) -> bytes:
    """Reads the body of a request, counting its bytes as they arrive.

    Raises:
        RequestRejected: when it is empty, too large or too slow.
        ClientDisconnected: when the client disconnects before its end.
    """
    # The declared length may be missing or wrong: it can refuse a body early, but the bytes are counted anyway.
    declared = int(request.headers.get("content-length", 0))
    parts, total = [], 0
    try:
        async with asyncio.timeout(limits.seconds):
            async for part in request.stream():
                total += len(part)
                _require_few_bytes(max(total, declared), limits)
                parts.append(part)
    except TimeoutError as error:
        raise RequestRejected(408, f"the body did not arrive within {limits.seconds:g} seconds.") from error
    except ClientDisconnect as error:
        raise ClientDisconnected from error
    if not total:
        raise RequestRejected(400, "the body is empty; it must be the bytes of one picture.")
    return b"".join(parts)


async def run_while_connected(request: Request, job: Awaitable[T]) -> T:
    """Returns the result of the job, which is cancelled if the client disconnects.

    Args:
        request: the request, whose body has been read.
        job: the job that the client waits for.

    Raises:
        ClientDisconnected: when the client disconnected.
    """
    work, disconnect = asyncio.ensure_future(job), asyncio.ensure_future(_wait_for_disconnect(request))
    try:
        await asyncio.wait({work, disconnect}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise ClientDisconnected
        return work.result()
    finally:
        work.cancel()
        disconnect.cancel()
        await asyncio.wait({work, disconnect})  # the job leaves the queue before it stops being counted


async def _wait_for_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _require_few_bytes(count: int, limits: Limits) -> None:
    if count > limits.bytes:
        raise RequestRejected(413, f"{count} bytes exceed the limit of {limits.bytes}. Send a smaller picture.")


def decode_picture(body: bytes, limits: Limits) -> Image.Image:
    """Decodes the picture, upright. Its size is checked before decoding. Raises RequestRejected."""
    try:
        with Image.open(io.BytesIO(body), formats=FORMATS) as image:
            require_size(flip_size(image.size), limits)
            image.load()
            return ImageOps.exif_transpose(image)
    except RequestRejected:
        raise
    except BOMBS as error:
        raise RequestRejected(413, f"the picture has too many pixels; at most {limits.pixels} are accepted.") from error
    except UnidentifiedImageError as error:
        raise RequestRejected(
            415, f"the body is not a picture. Send the bytes of a {', '.join(FORMATS)} file, not a form."
        ) from error
    except Exception as error:  # decoders raise many kinds of errors
        raise RequestRejected(400, f"the picture cannot be decoded ({error}).") from error


def require_size(size: Size, limits: Limits) -> None:
    """Raises RequestRejected (413) for a picture above the limits."""
    height, width = size
    if width * height > limits.pixels or max(width, height) > limits.side:
        raise RequestRejected(
            413,
            f"the picture is {width}x{height}; at most {limits.pixels} pixels and {limits.side} per side are accepted.",
        )
