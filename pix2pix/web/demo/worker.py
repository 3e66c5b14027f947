"""Runs the model in one thread, so that the event loop stays responsive."""

import asyncio
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from PIL import Image

P = ParamSpec("P")
T = TypeVar("T")


class Worker:
    """Runs jobs one after the other, in the order of arrival."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "translator")

    async def run(self, job: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs the job and returns its result; a job cancelled before its turn is dropped."""
        return await asyncio.wrap_future(self._thread.submit(job, *args, **kwargs))


def encode_picture(picture: Image.Image, kind: str) -> bytes:
    """Encodes the picture as `png`, `jpg` or `webp`, with fast settings."""
    options = {"png": {"compress_level": 1}, "jpg": {"quality": 92}, "webp": {"quality": 90, "method": 2}}
    file = io.BytesIO()
    if kind == "jpg" and picture.mode not in {"L", "RGB"}:
        picture = picture.convert("RGB")
    picture.save(file, {"jpg": "JPEG"}.get(kind, kind.upper()), **options[kind])
    return file.getvalue()
