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
    ConcurrencyLimit,
    Limits,
    RequestRejected,
    decode_picture,
    read_body,
    require_size,
    run_while_connected,
)
from pix2pix.web.demo.runs import LoadedRun, describe_canvas
from pix2pix.web.demo.sample_pictures import Sample, are_line_drawings
from pix2pix.web.demo.static_files import Files, media_type, read_page_files, sample_files, sample_path
from pix2pix.web.demo.websocket import LiveEndpoint
from pix2pix.web.demo.worker import Worker, encode_picture

log = logging.getLogger(__name__)

MEDIA = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}


class TranslateQuery(BaseModel):
    """The query parameters of `POST /translate`."""

    model_config = ConfigDict(extra="forbid")

    run: str = "0"  # the number or the name of a run
    seed: Annotated[int, Field(ge=0, lt=2**53)] = 0  # JavaScript's numbers are exact below 2**53
    format: Literal["png", "jpg", "webp"] = "png"
    derive: bool = True


class Demo:
    """The routes of the demo and their shared state.

    Args:
        runs: the loaded runs, in the order of their numbers.
        samples: example pictures.
        limits: the limits on requests.
    """

    def __init__(self, runs: Sequence[LoadedRun], samples: Sequence[Sample], limits: Limits) -> None:
        self.loaded_runs, self.limits = runs, limits
        # By number, as the page does, and by name, which wins where a run is named like a number.
        self.by_name = {str(number): run for number, run in enumerate(runs)}
        self.by_name |= {run.name: run for run in runs}
        self.worker = Worker()
        self.concurrency = ConcurrencyLimit(limits.requests, "requests")
        self.live = LiveEndpoint(runs, self.worker, limits)
        self.page_data = page_data(runs, samples)
        self.files = _by_path(read_page_files("server", self.page_data), sample_files(samples))

    async def translate(self, request: Request) -> Response:
        """Translates the picture in the body."""
        query = _query(request)
        run = self.by_name.get(query.run)
        if run is None:
            raise RequestRejected(404, f"run {query.run!r}: no run has this name or number; GET /runs lists them.")
        with self.concurrency.acquire():
            body = await read_body(request, self.limits)
            result = await run_while_connected(request, self.worker.run(self._translate, body, run, query))
        return Response(result, media_type=MEDIA[query.format])

    def _translate(self, body: bytes, run: LoadedRun, query: TranslateQuery) -> bytes:
        picture = decode_picture(body, self.limits)
        require_size(run.translator.size_of(picture), self.limits)  # the scale of the training may enlarge it
        try:
            return encode_picture(run.translate(picture, query.seed, derive=query.derive), query.format)
        except ValueError as error:  # for example 16 bits for a run that takes 8
            raise RequestRejected(415, str(error)) from error

    async def health(self, request: Request) -> Response:
        """Reports the status and the load."""
        return JSONResponse(
            {
                "status": "ok",
                "runs": len(self.loaded_runs),
                "requests": self.concurrency.active,
                "pages": self.live.concurrency.active,
            }
        )

    async def runs(self, request: Request) -> Response:
        """Lists the runs, the canvas and the samples."""
        return JSONResponse(self.page_data)

    async def file(self, request: Request) -> Response:
        """Returns a file of the page or a sample, from memory: a request never names a path on disk."""
        content, media = self.files[request.url.path]
        return Response(content, media_type=media)


def create_app(
    runs: Sequence[LoadedRun], samples: Sequence[Sample], *, limits: Limits | None = None, names: Iterable[str] = ()
) -> Starlette:
    """Creates the application that serves the runs; `names` are additional host names to accept."""
    demo = Demo(runs, samples, limits or Limits())
    routes = [
        Route("/translate", demo.translate, methods=["POST"]),
        Route("/health", demo.health),
        Route("/runs", demo.runs),
        WebSocketRoute("/live", demo.live.__call__),
        *(Route(path, demo.file) for path in demo.files),
    ]
    handlers: Any = {HTTPException: _answer_rejected, Exception: _answer_failed}
    return Starlette(routes=routes, middleware=[Middleware(HostGuard, names=names)], exception_handlers=handlers)


def page_data(runs: Sequence[LoadedRun], samples: Sequence[Sample]) -> dict[str, Any]:
    """The data of the page, also the answer to `GET /runs`: runs, canvas and paths of the samples."""
    paths = [{side: sample_path(number, side) for side in Sample._fields} for number in range(len(samples))]
    return {
        "runs": [run.description() for run in runs],
        "canvas": describe_canvas(runs, are_line_drawings(list(samples))),
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


async def _answer_rejected(request: Request, error: HTTPException) -> Response:
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _answer_failed(request: Request, error: Exception) -> Response:
    log.error("a request failed", exc_info=error)
    return JSONResponse({"error": "the translation failed; see the terminal of the demo for the reason."}, 500)
