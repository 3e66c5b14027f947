"""The ASGI application of the demo: page, samples, WebSocket and HTTP endpoint."""

import logging
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute

from pix2pix.core.instantiate import format_validation_error
from pix2pix.web.demo.host_guard import HostGuard
from pix2pix.web.demo.limits import (
    ClientDisconnected,
    ConcurrencyLimit,
    Limits,
    RequestRejected,
    read_body,
    read_picture,
    run_while_connected,
)
from pix2pix.web.demo.runs import LoadedRun, describe_canvas
from pix2pix.web.demo.sample_pictures import Sample, are_line_drawings
from pix2pix.web.demo.static_files import Files, media_type, page_files, sample_files, sample_path
from pix2pix.web.demo.websocket import LiveEndpoint
from pix2pix.web.demo.worker import Worker, encode_picture

log = logging.getLogger(__name__)

CLIENT_CLOSED_REQUEST = 499  # as nginx calls it
MEDIA = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}


class TranslateQuery(BaseModel):
    """What may stand behind `POST /translate?`."""

    model_config = ConfigDict(extra="forbid")

    run: str = "0"
    seed: Annotated[int, Field(ge=0, lt=2**53)] = 0
    format: Literal["png", "jpg", "webp"] = "png"


class Demo:
    """What the routes share.

    Args:
        shown: the runs, in the order of their numbers.
        samples: pictures to start from.
        limits: how much is taken from a request.
    """

    def __init__(self, shown: Sequence[LoadedRun], samples: Sequence[Sample], limits: Limits) -> None:
        self.shown, self.limits = shown, limits
        self.by_name = {str(number): exhibit for number, exhibit in enumerate(shown)}
        self.by_name |= {exhibit.name: exhibit for exhibit in shown}
        self.worker = Worker()
        self.gate = ConcurrencyLimit(limits.requests, "requests")
        self.live = LiveEndpoint(shown, self.worker, limits)
        self.tour = page_data(shown, samples)
        self.files = _by_path(page_files("server"), sample_files(samples))

    async def translate(self, request: Request) -> Response:
        """The picture in the body, translated."""
        query = _query(request)
        exhibit = self.by_name.get(query.run)
        if exhibit is None:
            raise RequestRejected(404, f"run {query.run!r}: no run has this name or number; GET /runs lists them.")
        with self.gate.acquire():
            body = await read_body(request, self.limits)
            result = await run_while_connected(request, self.worker.run(self._translate, body, exhibit, query))
        return Response(result, media_type=MEDIA[query.format])

    def _translate(self, body: bytes, exhibit: LoadedRun, query: TranslateQuery) -> bytes:
        picture = read_picture(body, self.limits)
        try:
            return encode_picture(exhibit.translate(picture, query.seed), query.format)
        except ValueError as error:  # 16 bits where the run takes 8, and the like
            raise RequestRejected(415, str(error)) from error

    async def health(self, request: Request) -> Response:
        """That it lives, and how much it has to do."""
        return JSONResponse(
            {"status": "ok", "runs": len(self.shown), "requests": self.gate.inside, "pages": self.live.gate.inside}
        )

    async def runs(self, request: Request) -> Response:
        """The runs by number and name, the canvas they take, and the samples."""
        return JSONResponse(self.tour)

    async def file(self, request: Request) -> Response:
        """A file of the page or a sample, all of them in memory since the start: a request names no path on disk."""
        content, media = self.files[request.url.path]
        return Response(content, media_type=media)


def create_app(
    shown: Sequence[LoadedRun], samples: Sequence[Sample], *, limits: Limits | None = None, names: Iterable[str] = ()
) -> Starlette:
    """The application that shows the runs; `names` are further host names it goes by."""
    demo = Demo(shown, samples, limits or Limits())
    routes = [
        Route("/translate", demo.translate, methods=["POST"]),
        Route("/health", demo.health),
        Route("/runs", demo.runs),
        WebSocketRoute("/live", demo.live.__call__),
        *(Route(path, demo.file) for path in demo.files),
    ]
    handlers: Any = {
        RequestRejected: _handle_rejection,
        ClientDisconnected: _handle_disconnect,
        HTTPException: _handle_http_error,
        Exception: _handle_failure,
    }
    return Starlette(routes=routes, middleware=[Middleware(HostGuard, names=names)], exception_handlers=handlers)


def page_data(shown: Sequence[LoadedRun], samples: Sequence[Sample]) -> dict[str, Any]:
    """All that the page has to know."""
    paths = [{side: sample_path(number, side) for side in Sample._fields} for number in range(len(samples))]
    return {
        "runs": [exhibit.description() for exhibit in shown],
        "canvas": describe_canvas(shown, are_line_drawings(list(samples))),
        "samples": paths,
    }


def _by_path(page_files: dict[str, bytes], others: Files) -> Files:
    files = {name: (content, media_type(name)) for name, content in page_files.items()} | others
    return {f"/{name}": file for name, file in files.items()} | {"/": files["index.html"]}


def _query(request: Request) -> TranslateQuery:
    try:
        return TranslateQuery.model_validate(dict(request.query_params))
    except ValidationError as error:
        names = ", ".join(".".join(map(str, part["loc"])) for part in error.errors())
        raise RequestRejected(422, f"query {names}: {format_validation_error(error)}.") from error


async def _handle_rejection(request: Request, error: RequestRejected) -> Response:
    headers = {"Retry-After": "1"} if error.status == 503 else {}
    if error.status in {408, 413}:
        headers["Connection"] = "close"  # the rest of the body is not read
    return JSONResponse({"error": str(error)}, error.status, headers)


async def _handle_disconnect(request: Request, error: ClientDisconnected) -> Response:
    return Response(status_code=CLIENT_CLOSED_REQUEST)  # which nobody reads


async def _handle_http_error(request: Request, error: HTTPException) -> Response:
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _handle_failure(request: Request, error: Exception) -> Response:
    log.error("a request failed", exc_info=error)
    return JSONResponse({"error": "the translation failed; the terminal of the demo says why."}, 500)
