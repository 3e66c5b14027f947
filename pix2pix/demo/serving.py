"""The demo as a command: load, listen, open the browser."""

import socket
import threading
import warnings
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import uvicorn
from PIL import Image
from starlette.applications import Starlette

from pix2pix.allocator import keep_freed_memory
from pix2pix.demo.app import application
from pix2pix.demo.exhibit import exhibits, largest
from pix2pix.demo.samples import samples_of


def serve(
    runs: Sequence[str | Path],
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    browser: bool = True,
    names: Sequence[str] = (),
    announce: Callable[[str], object] = print,
    **options: Any,
) -> None:
    """Shows runs on a page until it is interrupted.

    Args:
        runs: directories of runs or sweeps, or checkpoint files.
        host: the address to listen on; other machines reach the demo at 0.0.0.0 only.
        port: 0 for one that is free.
        browser: whether to open the page.
        names: further host names that the demo goes by.
        announce: is told the address.
        options: those of `load_translator`.

    Raises:
        OSError: when the address cannot be had.
    """
    keep_freed_memory()
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # limits.py refuses much smaller ones
    with listen(host, port) as listening:
        shown = exhibits(runs, **options)
        app = application(shown, samples_of(shown[0]), names=[host, *names])
        announce(url(listening))
        if browser:
            threading.Timer(0.5, webbrowser.open, [url(listening)]).start()
        server(app, largest(shown)).run([listening])


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError in words when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=256)
    except OSError as error:
        raise OSError(
            f"{host}:{port}: cannot listen there ({error.strerror or error}). "
            "Choose another --port, or leave it out for a free one."
        ) from error


def url(listening: socket.socket) -> str:
    """The address of the page, as this machine's browser asks for it."""
    told, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(told, str(told))
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def server(app: Starlette, size: tuple[int, int]) -> uvicorn.Server:
    """A server whose live channel takes drawings of up to twice the size of the training."""
    largest_frame = 4 * (2 * size[0]) * (2 * size[1]) + 4096
    config = uvicorn.Config(
        app,
        ws="websockets-sansio",
        ws_max_size=largest_frame,
        ws_per_message_deflate=False,  # pixels cross a wire that costs nothing, compressing them would cost a core
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    return uvicorn.Server(config)
