"""The WebSocket of the demo: receives drawings, sends translations, and drops all waiting drawings but the newest.

A message is a line of JSON, a newline, and raw pixels, which need no decoding and hide no bomb:

    {"frame": 7, "seed": 0, "runs": [0, 1], "width": 256, "height": 256}     followed by RGBA, 4 bytes a pixel
    {"frame": 7, "run": 0, "milliseconds": 71.2, "width": 256, "height": 256}     the answer, one for each run
    {"frame": 7, "error": "..."}     in place of answers

A frame that a newer one replaces before its turn is never answered.
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

LONGEST_HEADER = 4096
Natural = Annotated[int, Field(ge=0, lt=2**53)]  # what JavaScript counts exactly


class Frame(BaseModel):
    """The line before the pixels of a drawing."""

    model_config = ConfigDict(extra="forbid", strict=True)

    frame: Natural
    seed: Natural = 0
    runs: Annotated[list[Natural], Field(min_length=1, max_length=64)]
    width: Annotated[int, Field(ge=1)]
    height: Annotated[int, Field(ge=1)]


class LatestMessage:
    """A place for one message: a newer one replaces the one that waits."""

    def __init__(self) -> None:
        self._message: bytes | None = None
        self._there = asyncio.Event()

    def put(self, message: bytes) -> None:
        """Leaves a message, in place of any that nobody took."""
        self._message = message
        self._there.set()

    async def take(self) -> bytes:
        """Waits for a message and takes it."""
        await self._there.wait()
        self._there.clear()
        message, self._message = self._message, None
        assert message is not None
        return message


class LiveEndpoint:
    """The websocket endpoint: one answering task and one drawing in work for each page."""

    def __init__(self, shown: Sequence[LoadedRun], worker: Worker, limits: Limits) -> None:
        self.shown, self.worker, self.limits = shown, worker, limits
        self.gate = ConcurrencyLimit(limits.pages, "pages")

    async def __call__(self, socket: WebSocket) -> None:
        """Serves one page until it goes."""
        await socket.accept()
        try:
            with self.gate.acquire():
                await self._serve(socket)
        except RequestRejected as full:
            await socket.close(1013, str(full))

    async def _serve(self, socket: WebSocket) -> None:
        newest = LatestMessage()
        answering = asyncio.create_task(self._answer(socket, newest))
        try:
            while socket.client_state is WebSocketState.CONNECTED:
                message = await socket.receive()
                if message["type"] == "websocket.receive":
                    newest.put(message.get("bytes") or (message.get("text") or "").encode())
        finally:
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)

    async def _answer(self, socket: WebSocket, newest: LatestMessage) -> None:
        while True:
            header, _, pixels = (await newest.take()).partition(b"\n")
            try:
                async for answer in self._answers(header, pixels):
                    await socket.send_bytes(answer)
            except WebSocketDisconnect:  # the page went while it was answered
                return

    async def _answers(self, header: bytes, pixels: bytes) -> AsyncIterator[bytes]:
        try:
            frame = self._frame(header, pixels)
            drawing = Image.frombytes("RGBA", (frame.width, frame.height), pixels).convert("RGB")
            for number in frame.runs:
                yield await self.worker.run(self._translate, number, drawing, frame)
        except RequestRejected as refusal:
            yield _message({"frame": _frame_number(header), "error": str(refusal)})
        except Exception as error:  # one drawing that fails leaves the page alive
            log.exception("a drawing could not be translated")
            yield _message(
                {"frame": _frame_number(header), "error": f"the translation failed ({type(error).__name__})."}
            )

    def _frame(self, header: bytes, pixels: bytes) -> Frame:
        try:
            frame = Frame.model_validate_json(header[:LONGEST_HEADER])
        except ValidationError as error:
            raise RequestRejected(
                422, f"the frame's header is not as documented: {format_validation_error(error)}."
            ) from error
        require_size(frame.width, frame.height, self.limits)
        if len(pixels) != frame.width * frame.height * 4:
            raise RequestRejected(400, f"{len(pixels)} bytes of pixels are not {frame.width}x{frame.height} times 4.")
        if max(frame.runs) >= len(self.shown):
            raise RequestRejected(404, f"runs {frame.runs}: there are {len(self.shown)}, counted from 0.")
        return frame

    def _translate(self, number: int, drawing: Image.Image, frame: Frame) -> bytes:
        began = time.perf_counter()
        result = self.shown[number].translate_drawing(drawing, frame.seed).convert("RGBA")
        milliseconds = round((time.perf_counter() - began) * 1000, 1)
        head = {"frame": frame.frame, "run": number, "milliseconds": milliseconds}
        return _message(head | {"width": result.width, "height": result.height}, result.tobytes())


def _message(header: Mapping[str, object], pixels: bytes = b"") -> bytes:
    return json.dumps(header).encode() + b"\n" + pixels


def _frame_number(header: bytes) -> int | None:
    """The frame that a refused header speaks of, as far as it can be read."""
    try:
        number = json.loads(header[:LONGEST_HEADER])["frame"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return number if isinstance(number, int) else None
