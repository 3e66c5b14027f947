"""A web server on this machine that sends parts of files, as those of shards must; or breaks off, or sends it all."""

import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from tests.local_server import LocalServer, Silent


class FolderServer(LocalServer):
    """Serves a folder at `url`; `breaks` answers break off halfway before one is whole.

    Where it has a `login`, requests must carry it in `Authorization`. Where it has `together`, a barrier, requests for
    a range are answered when so many have come.
    """

    login: str | None = None
    together: threading.Barrier | None = None

    def __init__(self, folder: Path, *, knows_ranges: bool = True, breaks: int = 0) -> None:
        super().__init__(Handler)
        self.folder, self.knows_ranges, self.breaks = folder, knows_ranges, breaks
        self.asked: list[str] = []
        self.sent = 0


class Handler(Silent, BaseHTTPRequestHandler):
    server: FolderServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        file, part = self.server.folder / self.path.lstrip("/"), self.headers.get("Range")
        self.server.asked.append(f"{self.path} {part}")
        if self.server.login not in {None, self.headers.get("Authorization")}:
            self.send_error(401)
            return
        if not file.is_file():
            self.send_error(404)
            return
        if part and self.server.together:
            self.server.together.wait(timeout=30)
        content = file.read_bytes()
        if part and self.server.knows_ranges:
            first, last = map(int, part.removeprefix("bytes=").split("-"))
            content = content[first : last + 1]
        self.send_response(206 if part and self.server.knows_ranges else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.server.breaks > 0:
            self.server.breaks -= 1
            content, self.close_connection = content[: len(content) // 2], True
        self.server.sent += len(content)
        self.wfile.write(content)
