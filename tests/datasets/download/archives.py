"""Archives to download in tests, and a server on this machine that serves them well or badly."""

import io
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from pix2pix.datasets.download import http_download
from pix2pix.datasets.download.catalogue import CATALOGUE
from tests.local_server import LocalServer, Silent

Member = tuple[tarfile.TarInfo, bytes]


def picture(seed: int = 0) -> bytes:
    """A small side-by-side JPEG."""
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 16, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


def member(name: str, content: bytes = b"", **header: object) -> Member:
    """A file of an archive, or with other header fields a link, a device and the like."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in header.items():
        setattr(info, field, value)
    return info, content


def archive(*members: Member) -> bytes:
    """A gzipped tar."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


def facades(**fewer: int) -> bytes:
    """An archive with as many pairs as facades has, or another number in some splits."""
    jpeg = picture()
    splits = CATALOGUE["facades"].splits | fewer
    names = [f"facades/{split}/{number}.jpg" for split, pairs in splits.items() for number in range(1, pairs + 1)]
    return archive(*(member(name, jpeg) for name in names))


class Handler(Silent, BaseHTTPRequestHandler):
    """One answer; `server.answer` decides which."""

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Range"), self.headers.get("If-Range")))
        with suppress(BrokenPipeError, ConnectionResetError):
            self.server.answer(self)


def send(handler: Handler, content: bytes, *, status: int = 200, length: int | None = -1, **headers: str) -> None:
    """Sends `content`, announced as `length` bytes: by default as many as there are, None says nothing."""
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    if length is not None:
        handler.send_header("Content-Length", str(len(content) if length == -1 else length))
    handler.end_headers()
    handler.wfile.write(content)


def stalling(content: bytes, end: threading.Event) -> Callable[[Handler], None]:
    """A server that stops halfway until `end`, and sends the rest to whoever asks for it."""

    def answer(handler: Handler) -> None:
        if handler.headers.get("Range"):
            return well(content)(handler)
        send(handler, content[: len(content) // 2], length=len(content), ETag='"one"')
        end.wait(30)
        return None

    return answer


def stay_on_this_machine(monkeypatch: pytest.MonkeyPatch, downloading: ModuleType) -> None:
    """No proxy, no waiting, and no way to the authors' server."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(http_download.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(downloading, "HOST", "http://127.0.0.1:9")
    monkeypatch.delenv("PIX2PIX_MIRRORS", raising=False)


def well(content: bytes, tag: str = '"one"') -> Callable[[Handler], None]:
    """A server as it should be: ranges, a tag, the right length."""

    def answer(handler: Handler) -> None:
        wanted, known = handler.headers.get("Range"), handler.headers.get("If-Range", tag)
        if not wanted or known != tag:
            return send(handler, content, ETag=tag)
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(content):
            return send(handler, b"", status=416)
        message = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return send(handler, content[start:], status=206, Content_Range=message, ETag=tag)

    return answer


@contextmanager
def serve(answer: Callable[[Handler], None]) -> Iterator[LocalServer]:
    """A server on this machine, its address in `url`, what it was asked for in `asked`."""
    with LocalServer(Handler) as server:
        server.answer, server.asked = answer, []
        yield server
