"""A demo that is being served, and a browser that looks at it."""

import http.client
import io
import json
import shutil
import threading
import time
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from pix2pix.demo.app import application
from pix2pix.demo.exhibit import exhibits
from pix2pix.demo.limits import Limits
from pix2pix.demo.samples import samples_of
from pix2pix.demo.serving import listen, server, url


class Answer(NamedTuple):
    """What a request got."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def picture(self) -> Image.Image:
        return Image.open(io.BytesIO(self.body))


class Served:
    """A demo at an address."""

    def __init__(self, address: str) -> None:
        self.address, self.host = address, urlsplit(address).netloc

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection(self.host, timeout=60)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def translate(self, body: bytes, query: str = "", **headers: str) -> Answer:
        return self.ask("POST", f"/translate{query}", body, **headers)


@contextmanager
def serving(*paths, limits: Limits | None = None, names=(), samples=True, shown=None):
    """A demo of the runs, served by a thread of this process."""
    shown = shown or exhibits(paths)
    app = application(shown, samples_of(shown[0]) if samples else [], limits=limits, names=names)
    listening = listen("127.0.0.1", 0)
    running = server(app, shown[0].size)
    thread = threading.Thread(target=running.run, args=([listening],))
    thread.start()
    try:
        while not running.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield Served(url(listening))
    finally:
        running.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def two_runs(tiny_run, tmp_path_factory):
    """Two runs of a sweep."""
    folder = tmp_path_factory.mktemp("sweep")
    for name in ("discriminator=patch16", "discriminator=pixel"):
        shutil.copytree(tiny_run.path, folder / name)
    return [folder / "discriminator=patch16", folder / "discriminator=pixel"]


@pytest.fixture(scope="session")
def demo(two_runs):
    """Two runs, served."""
    with serving(*two_runs) as served:
        yield served


def picture(width: int = 32, height: int = 32, kind: str = "PNG", seed: int = 0) -> bytes:
    """A picture of noise as the bytes of a file."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()
