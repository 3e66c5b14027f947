"""Limits of the demo on bytes, pixels and simultaneous requests, and the responses when they are exceeded."""

import asyncio
import io
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from PIL import Image, ImageOps, UnidentifiedImageError
from starlette.requests import ClientDisconnect, Request

FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
T = TypeVar("T")


@dataclass(frozen=True)
class Limits:
    """How much is taken. `side` bounds what padding to the network's sizes can make of a thin picture."""

    bytes: int = 8 * 2**20
    pixels: int = 2**20
    side: int = 4096
    requests: int = 32
    pages: int = 64
    seconds: float = 20.0


class RequestRejected(Exception):  # noqa: N818 - an answer, not an error of ours
    """A request that is not served: its HTTP status, and a sentence that says why."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class ClientDisconnected(Exception):  # noqa: N818 - likewise
    """The client left, nobody waits for an answer."""


class ConcurrencyLimit:
    """Lets so many in at once; who finds it full is told to come again."""

    def __init__(self, most: int, what: str) -> None:
        self.most, self.what, self.inside = most, what, 0

    @contextmanager
    def acquire(self) -> Iterator[None]:
        """Inside for as long as the block runs. Raises Refused (503) when the gate is full."""
        if self.inside >= self.most:
            raise RequestRejected(503, f"{self.inside} {self.what} are being served, the maximum. Try again soon.")
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1


async def read_body(request: Request, limits: Limits) -> bytes:
    """The body of a request, counted while it comes.

    Raises:
        Refused: when it is empty, too large or too slow.
        Gone: when the client leaves before its end.
    """
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
    """What the job returns; it is cancelled as soon as the client leaves.

    Args:
        request: whose body was read to its end.
        job: what the client waits for.

    Raises:
        Gone: when the client left.
    """
    working, leaving = asyncio.ensure_future(job), asyncio.ensure_future(_wait_for_disconnect(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnected
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.wait({working, leaving})  # so that the job is out of its queue when nobody counts it any longer


async def _wait_for_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _require_few_bytes(count: int, limits: Limits) -> None:
    if count > limits.bytes:
        raise RequestRejected(413, f"{count} bytes exceed the limit of {limits.bytes}. Send a smaller picture.")


def read_picture(body: bytes, limits: Limits) -> Image.Image:
    """The picture in the bytes, upright. Raises Refused; its size is judged before any pixel is decoded."""
    try:
        with Image.open(io.BytesIO(body), formats=FORMATS) as image:
            require_size(*image.size, limits)
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
    except Exception as error:  # decoders raise whatever the bytes happen to provoke
        raise RequestRejected(400, f"the picture cannot be decoded ({error}).") from error


def require_size(width: int, height: int, limits: Limits) -> None:
    """Raises Refused (413) for a picture that is too large to translate here."""
    if width * height > limits.pixels or max(width, height) > limits.side:
        raise RequestRejected(
            413,
            f"the picture is {width}x{height}; at most {limits.pixels} pixels and {limits.side} on a side are taken.",
        )
