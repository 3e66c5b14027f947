"""Rejects cross-origin requests and DNS-rebinding host names.

Starlette's TrustedHostMiddleware accepts the names of a list, where any IP address is safe here, and no middleware of
Starlette refuses a request by its `Origin`.
"""

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Scripts, fonts and pictures come from this server only.
POLICY = "default-src 'self'; img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


class HostRules:
    """The host names and origins that a local server accepts.

    With DNS rebinding, a foreign page whose name resolves to 127.0.0.1 sends its own name as `Host`. So the host must
    be an IP address, localhost, this machine's name, or an allowed name. A script on another site sends that site as
    `Origin`, which must equal the host for every request that does more than read.

    Args:
        names: additional host names, for example of a proxy.
        remedy: advice to append when a name is rejected.
    """

    def __init__(self, names: Iterable[str] = (), remedy: str = "Use its address, such as 127.0.0.1.") -> None:
        self.remedy = remedy
        self.names = {"localhost", socket.gethostname().lower(), *(name.lower() for name in names)}

    def rejection_reason(self, host: str, origin: str, *, reads: bool) -> str | None:
        """Why a request with these headers is rejected; None if it is accepted."""
        host, origin = host.lower(), origin.lower()
        if not self._is_known(host):
            return f"host {host!r} is not a name of this server. {self.remedy}"
        # Reading is harmless: the browser does not show another site's script what it reads here.
        if origin and not reads and _netloc(origin) != host:
            return f"origin {origin!r} is another site; only pages of this server are accepted."
        return None

    def _is_known(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self.names or _is_address(name)


class HostGuard:
    """ASGI middleware that checks `Host` and `Origin` of every request.

    Args:
        app: the wrapped application.
        names: additional host names of the demo, for example behind a proxy.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str] = ()) -> None:
        self.app, self.hosts = app, HostRules(names, "Its operator can add it with --allow-host.")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on accepted requests; others get status 403, or 1008 on a WebSocket."""
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
