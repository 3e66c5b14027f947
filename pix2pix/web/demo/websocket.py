"""The WebSocket of the demo: receives drawings, sends translations, and drops all waiting drawings but the newest.

A message is a line of JSON, a newline, and raw pixels, which need no decoder:

    {"frame": 7, "seed": 0, "runs": [0, 1], "width": 256, "height": 256}     followed by RGBA, 4 bytes per pixel
    {"frame": 7, "run": 0, "milliseconds": 71.2, "width": 256, "height": 256}     answer, one per run
    {"frame": 7, "error": "..."}     instead of answers

A frame that is replaced by a newer one before its turn is not answered.
"""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from pix2pix.core.instantiate import format_validation_error
from pix2pix.web.demo.limits import ConcurrencyLimit, Limits, RequestRejected, require_size
from pix2pix.web.demo.runs import LoadedRun
from pix2pix.web.demo.worker import Worker

log = logging.getLogger(__name__)

MAX_HEADER_BYTES = 4096
Natural = Annotated[int, Field(ge=0, lt=2**53)]  # integers that JavaScript represents exactly


class Frame(BaseModel):
    """The line before the pixels of a drawing."""

    model_config = ConfigDict(extra="forbid", strict=True)

    frame: Natural
    seed: Natural = 0
    runs: Annotated[list[Natural], Field(min_length=1, max_length=64)]
    width: Annotated[int, Field(ge=1)]
    height: Annotated[int, Field(ge=1)]


class LatestMessage:
    """Holds one message; a newer one replaces it."""

    def __init__(self) -> None:
        self._message: bytes | None = None
        self._available = asyncio.Event()

    def put(self, message: bytes) -> None:
        """Stores a message in place of one not yet taken."""
        self._message = message
        self._available.set()

    async def take(self) -> bytes:
        """Waits for a message and removes it."""
        await self._available.wait()
        self._available.clear()
        message, self._message = self._message, None
        assert message is not None
        return message


class LiveEndpoint:
    """The WebSocket endpoint: per page, one task answers one drawing at a time."""

    def __init__(self, runs: Sequence[LoadedRun], worker: Worker, limits: Limits) -> None:
        self.runs, self.worker, self.limits = runs, worker, limits
        self.concurrency = ConcurrencyLimit(limits.pages, "pages")

    async def __call__(self, socket: WebSocket) -> None:
        """Serves one page until it disconnects."""
        await socket.accept()
        try:
            with self.concurrency.acquire():
                await self._serve(socket)
        except RequestRejected as rejection:
            await socket.close(1013, rejection.detail)

    async def _serve(self, socket: WebSocket) -> None:
        latest = LatestMessage()
        # Receiving never waits for an answer: drawings that arrive meanwhile replace each other, so the page gets the
        # translation of the newest one.
        task = asyncio.create_task(self._answer(socket, latest))
        try:
            while socket.client_state is WebSocketState.CONNECTED:
                message = await socket.receive()
                if message["type"] == "websocket.receive":
                    latest.put(message.get("bytes") or (message.get("text") or "").encode())
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _answer(self, socket: WebSocket, latest: LatestMessage) -> None:
        while True:
            header, _, pixels = (await latest.take()).partition(b"\n")
            try:
                async for answer in self._answers(header, pixels):
                    await socket.send_bytes(answer)
            except WebSocketDisconnect:  # the page disconnected during the answer
                return

    async def _answers(self, header: bytes, pixels: bytes) -> AsyncIterator[bytes]:
        try:
            frame = self._frame(header, pixels)
            drawing = Image.frombytes("RGBA", (frame.width, frame.height), pixels).convert("RGB")
            # One run after the other: the page shows each answer when it arrives.
            for number in frame.runs:
                yield await self.worker.run(self._translate, number, drawing, frame)
        except RequestRejected as rejection:
            yield _message({"frame": _frame_number(header), "error": rejection.detail})
        except Exception as error:  # a failed drawing must not end the connection
            log.exception("a drawing could not be translated")
            yield _message(
                {"frame": _frame_number(header), "error": f"the translation failed ({type(error).__name__})."}
            )

    def _frame(self, header: bytes, pixels: bytes) -> Frame:
        try:
            frame = Frame.model_validate_json(header[:MAX_HEADER_BYTES])
        except ValidationError as error:
            raise RequestRejected(422, f"invalid frame header: {format_validation_error(error)}.") from error
        require_size((frame.height, frame.width), self.limits)
        if len(pixels) != frame.width * frame.height * 4:
            raise RequestRejected(
                400, f"{len(pixels)} bytes of pixels; {frame.width}x{frame.height} pixels take 4 bytes each."
            )
        if max(frame.runs) >= len(self.runs):
            raise RequestRejected(404, f"runs {frame.runs}: this demo has {len(self.runs)} runs, numbered from 0.")
        return frame

    def _translate(self, number: int, drawing: Image.Image, frame: Frame) -> bytes:
        start = time.perf_counter()
        result = self.runs[number].translate_drawing(drawing, frame.seed).convert("RGBA")
        milliseconds = round((time.perf_counter() - start) * 1000, 1)
        header = {"frame": frame.frame, "run": number, "milliseconds": milliseconds}
        return _message(header | {"width": result.width, "height": result.height}, result.tobytes())


def _message(header: Mapping[str, object], pixels: bytes = b"") -> bytes:
    return json.dumps(header).encode() + b"\n" + pixels


def _frame_number(header: bytes) -> int | None:
    """The frame number in a rejected header; None if it cannot be read."""
    try:
        number = json.loads(header[:MAX_HEADER_BYTES])["frame"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return number if isinstance(number, int) else None
