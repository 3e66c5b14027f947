"""`pix2pix demo`: loads the runs, starts the server, opens the browser."""

import asyncio
import logging
import sys
import threading
import warnings
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import uvicorn
from PIL import Image
from starlette.applications import Starlette
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from pix2pix.core.allocator import keep_freed_memory
from pix2pix.data.images.resize import Size
from pix2pix.web.demo.addresses import draw_qr_code, exposure_warning, listen, network_url, url
from pix2pix.web.demo.app import create_app
from pix2pix.web.demo.runs import load_runs, max_size
from pix2pix.web.demo.sample_pictures import find_samples

log = logging.getLogger(__name__)

HTTP: Any = AutoHTTPProtocol  # httptools if installed, else h11
HEADER_SECONDS = 20.0  # limit from the start of a connection or request to the end of its headers


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
    """Serves the demo of runs until it is interrupted.

    Args:
        runs: directories of runs or sweeps, or checkpoint files.
        host: the address to listen on; with 0.0.0.0 or ::, other machines can reach the demo.
        port: the TCP port; 0 for a free one.
        browser: whether to open the page in a browser.
        names: additional host names to accept.
        announce: called with a line that begins with the address of the page; on a terminal, also with a QR code.
        options: options of `load_translator`.

    Raises:
        OSError: when the address is not available.
    """
    keep_freed_memory()
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # limits.py has a much lower limit
    with listen(host, port) as listening:
        loaded = load_runs(runs, **options)
        app = create_app(loaded, find_samples(loaded[0]), names=[host, *names])
        announce(f"{url(listening)}  (Ctrl-C ends the demo)")
        if network_address := network_url(listening):
            log.warning(exposure_warning(listening, network_address))
            if sys.stdout.isatty() and (code := draw_qr_code(network_address)):
                announce(code)
        if browser:
            threading.Timer(0.5, webbrowser.open, [url(listening)]).start()
        create_server(app, max_size(loaded)).run([listening])


class HeaderTimeoutProtocol(HTTP):
    """Uvicorn's HTTP protocol with a time limit for request headers, which uvicorn lacks."""

    timer: asyncio.TimerHandle

    def connection_made(self, transport: Any) -> None:
        """Starts the timer for the first request."""
        super().connection_made(transport)
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        """Stops the timer when the headers are complete, and restarts it for the next request; a WebSocket has none."""
        super().data_received(data)
        is_websocket = self.transport.get_protocol() is not self
        if is_websocket or (self.cycle is not None and not self.cycle.response_complete):
            self.timer.cancel()
        elif self.timer.cancelled():
            self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the timer."""
        self.timer.cancel()
        super().connection_lost(exc)

    def _start_timer(self) -> None:
        self.timer = asyncio.get_running_loop().call_later(HEADER_SECONDS, self.transport.close)


def create_server(app: Starlette, size: Size) -> uvicorn.Server:
    """Creates the server; a WebSocket message may hold a drawing of up to twice the training size."""
    largest_frame = 4 * (2 * size[0]) * (2 * size[1]) + 4096
    config = uvicorn.Config(
        app,
        http=HeaderTimeoutProtocol,
        ws="websockets-sansio",
        ws_max_size=largest_frame,
        ws_per_message_deflate=False,  # the connection is local; compression would only cost time
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    return uvicorn.Server(config)
