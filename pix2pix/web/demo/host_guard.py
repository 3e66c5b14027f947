"""Rejects cross-origin requests and DNS-rebinding host names."""

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Everything comes from here: no other host is asked for a script, a font or a picture.
POLICY = "default-src 'self'; img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


class HostRules:
    """The names that a server of this machine goes by.

    DNS rebinding (a page whose name is made to point at 127.0.0.1) shows in `Host`, which then is the name of that
    page. So a host must be an IP address, localhost, this machine's name, or one that the user allowed. A script on
    another site shows in `Origin`, which must then be the host itself for whatever does more than read.

    Args:
        names: further host names, of a proxy for example.
        remedy: what to do about a name that is refused.
    """

    def __init__(self, names: Iterable[str] = (), remedy: str = "Ask it by its address, such as 127.0.0.1.") -> None:
        self.remedy = remedy
        self.names = {"localhost", socket.gethostname().lower(), *(name.lower() for name in names)}

    def rejection_reason(self, host: str, origin: str, *, reads: bool) -> str | None:
        """Why a request with these headers is turned away; None for one that may come in."""
        host, origin = host.lower(), origin.lower()
        if not self._is_known(host):
            return f"host {host!r} is not a name of this server. {self.remedy}"
        if origin and not reads and _netloc(origin) != host:
            return f"origin {origin!r} is another site's; only pages of this server are answered."
        return None

    def _is_known(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self.names or _is_address(name)


class HostGuard:
    """ASGI middleware that checks `Host` and `Origin` before anything else sees a request.

    Args:
        app: what is behind the door.
        names: further host names that the demo goes by, behind a proxy for example.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str] = ()) -> None:
        self.app, self.hosts = app, HostRules(names, "Whoever runs it can add it with --allow-host.")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what may come in."""
        refusal = self._refusal(Headers(scope=scope), scope) if scope["type"] in {"http", "websocket"} else None
        if refusal and scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refusal})
        elif refusal:
            await JSONResponse({"error": refusal}, 403)(scope, receive, _add_headers(send))
        else:
            await self.app(scope, receive, _add_headers(send))

    def _refusal(self, headers: Headers, scope: Scope) -> str | None:
        reads = scope["type"] == "http" and scope["method"] in {"GET", "HEAD"}
        return self.hosts.rejection_reason(headers.get("host", ""), headers.get("origin", ""), reads=reads)


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _add_headers(send: Send) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(HEADERS)
        await send(message)

    return with_headers
