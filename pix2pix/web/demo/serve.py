"""`pix2pix demo`: loads the runs, starts the server, opens the browser."""

import asyncio
import ipaddress
import logging
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
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from pix2pix.core.allocator import keep_freed_memory
from pix2pix.web.demo.app import create_app
from pix2pix.web.demo.runs import load_runs, max_size
from pix2pix.web.demo.sample_pictures import find_samples

log = logging.getLogger(__name__)

HTTP: Any = AutoHTTPProtocol  # by httptools where that is installed, else by h11
HEADER_SECONDS = 20.0  # from the beginning of a connection, or of a further request on it, to the end of its headers


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
        host: the address to listen on; other machines reach the demo at 0.0.0.0, ::, or an address of this one.
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
        shown = load_runs(runs, **options)
        app = create_app(shown, find_samples(shown[0]), names=[host, *names])
        announce(url(listening))
        if warning := exposure_warning(listening):
            log.warning(warning)
        if browser:
            threading.Timer(0.5, webbrowser.open, [url(listening)]).start()
        server(app, max_size(shown)).run([listening])


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
    return _url({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(told, str(told)), port)


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def exposure_warning(listening: socket.socket) -> str | None:
    """A sentence for addresses that other machines reach, with the one to ask for; None for this machine alone."""
    told, port = listening.getsockname()[:2]
    address = ipaddress.ip_address(str(told).partition("%")[0])
    if address.is_loopback:
        return None
    theirs = _address_of_this_machine(listening.family) if address.is_unspecified else str(told)
    return (
        f"--host {told}: every machine of the network that reaches this one can use the demo, without a password. "
        f"Others open {_url(theirs, port)} (a name needs --allow-host NAME). Leave --host out to keep it to yourself."
    )


def _address_of_this_machine(family: int) -> str:
    """The address by which others reach it; its name where it has none."""
    anywhere = "2001:db8::1" if family == socket.AF_INET6 else "192.0.2.1"  # of documentation: nothing is sent there
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((anywhere, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return socket.gethostname()


class HeaderTimeoutProtocol(HTTP):
    """Uvicorn's protocol, which ends connections whose next request does not begin in time: it would wait for ever."""

    deadline: asyncio.TimerHandle

    def connection_made(self, transport: Any) -> None:
        """Waits for a first request."""
        super().connection_made(transport)
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        """Waits no longer once the headers are there, and waits anew when a further request begins."""
        super().data_received(data)
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            self.deadline.cancel()
        elif self.deadline.cancelled():
            self._start_timer()

    def handle_websocket_upgrade(self, *request: Any) -> None:
        """Leaves the connection to the websocket."""
        self.deadline.cancel()
        super().handle_websocket_upgrade(*request)

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits for nothing more."""
        self.deadline.cancel()
        super().connection_lost(exc)

    def _start_timer(self) -> None:
        self.deadline = asyncio.get_running_loop().call_later(HEADER_SECONDS, self.transport.close)


def server(app: Starlette, size: tuple[int, int]) -> uvicorn.Server:
    """A server whose live channel takes drawings of up to twice the size of the training."""
    largest_frame = 4 * (2 * size[0]) * (2 * size[1]) + 4096
    config = uvicorn.Config(
        app,
        http=HeaderTimeoutProtocol,
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
