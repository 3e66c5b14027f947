"""The dashboard: TensorBoard, comparisons, evaluations and newest samples of all runs in a folder."""

import logging
import os
import threading
import webbrowser
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

from natsort import natsorted
from tensorboard import program
from werkzeug.middleware.shared_data import SharedDataMiddleware
from werkzeug.wrappers import Request, Response

from pix2pix.core.html_page import render_page
from pix2pix.core.plurals import pluralize
from pix2pix.data.images.picture_files import printable_name
from pix2pix.runs.find import find_runs, walk_folders
from pix2pix.runs.run import Run
from pix2pix.runs.sample_sheets import newest_sheet
from pix2pix.web.demo.host_guard import HostRules

TENSORBOARD, FILES = "/tensorboard", "/files"
COMPARISON = "comparison.html"
MAX_LINE_BYTES = 2**16
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
SANDBOX_HEADERS = {"Content-Security-Policy": "sandbox allow-scripts allow-popups allow-downloads"}
SANDBOX_HEADERS |= {"X-Content-Type-Options": "nosniff"}

log = logging.getLogger(__name__)
T = TypeVar("T")
REPORTED: set[str] = set()  # problems that were logged already


class RunCard(NamedTuple):
    """A run on the page; paths are relative to the folder of runs."""

    name: str
    state: str
    sample: Path | None
    evaluations: list[Path]
    problems: tuple[str, ...] = ()


def serve(outputs: Path, *, port: int = 6006, open_browser: bool = True) -> None:
    """Serves the page on 127.0.0.1 until Ctrl-C."""
    address = start(outputs, port=port)
    print(f"{address}\nPress Ctrl-C to stop.", flush=True)
    if open_browser:
        webbrowser.open(address)
    threading.Event().wait()


def start(outputs: Path, *, port: int = 6006) -> str:
    """Starts the server in a thread and returns its address; uses a free port if `port` is taken.

    Raises:
        FileNotFoundError: for a folder without runs.
    """
    find_runs([outputs])  # raises if there are none
    try:
        return _launch(outputs.resolve(), port)
    except program.TensorBoardPortInUseError:
        return _launch(outputs.resolve(), 0)


def _launch(outputs: Path, port: int) -> str:
    class Server(program.WerkzeugServer):
        """TensorBoard's server with the front page before it."""

        def __init__(self, tensorboard: Any, flags: Any) -> None:
            super().__init__(add_front_page(tensorboard, outputs), flags)

    board = program.TensorBoard(server_class=Server)
    board.configure(logdir=str(outputs), host="127.0.0.1", port=port, path_prefix=TENSORBOARD, reload_multifile=True)
    for name in ("tensorboard", "werkzeug"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return board.launch().removesuffix(f"{TENSORBOARD}/") + "/"


def add_front_page(tensorboard: Any, outputs: Path) -> Any:
    """Wraps TensorBoard's WSGI application with the front page and the pages and pictures it links to.

    Requests with a foreign host name are rejected, as in the demo.
    """

    @Request.application
    def serve_front_page(request: Request) -> Response:
        if request.path != "/":
            return Response("no such page; the runs are at /", status=404)
        return Response(front_page(outputs), content_type="text/html; charset=utf-8", headers=HEADERS)

    # Only pages and pictures: checkpoints and configurations of the runs are not served.
    files = SharedDataMiddleware(serve_front_page, {FILES: str(outputs)})
    files.is_allowed = lambda filename: Path(filename).suffix in {".html", ".png", ".jpg"}
    host_rules = HostRules()

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        host, origin = environ.get("HTTP_HOST", ""), environ.get("HTTP_ORIGIN", "")
        reason = host_rules.rejection_reason(host, origin, reads=environ.get("REQUEST_METHOD") in {"GET", "HEAD"})
        if reason:
            return Response(reason, status=403)(environ, start_response)
        path = environ.get("PATH_INFO", "/")
        if path.startswith(TENSORBOARD):
            return tensorboard(environ, start_response)
        return files(environ, _sandbox(start_response) if path.startswith(FILES) else start_response)

    return application


def _sandbox(start_response: Any) -> Any:
    """Adds headers that keep the scripts of a run's page from other runs and TensorBoard."""

    def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        return start_response(status, [*headers, *SANDBOX_HEADERS.items()], *rest)

    return start


def front_page(outputs: Path) -> str:
    """Renders the page from the current files of the folder; damaged files are listed with the run."""
    folders = (folder.relative_to(outputs) for folder, files in walk_folders(outputs) if COMPARISON in files)
    comparisons = [folder / COMPARISON for folder in natsorted(folders, key=str)]
    cards = [make_card(run, outputs) for run in _runs(outputs)]
    _report(problem for card in cards for problem in card.problems)
    return render_page(
        Path(__file__).with_name("dashboard.html"),
        **{"outputs": outputs, "comparisons": comparisons, "cards": cards, "tensorboard": f"{TENSORBOARD}/"},
        **{"link": _link, "printable": printable_name, "pluralize": pluralize},
    )


def _runs(outputs: Path) -> list[Run]:
    with suppress(FileNotFoundError):  # all runs were removed since the start
        return find_runs([outputs])
    return []


def _link(page: Path) -> str:
    return f"{FILES}/{quote(os.fsencode(page.as_posix()))}"


def make_card(run: Run, outputs: Path) -> RunCard:
    """Collects what the page shows of a run, as far as its files can be read."""
    problems: list[str] = []
    name = run.path.relative_to(outputs) if run.path.is_relative_to(outputs) else run.path
    state = _try_read(lambda: _state(run.provenance()), run.provenance_file, problems) or "unknown"
    sample = _try_read(lambda: _sample(run, problems), run.path / "samples", problems)
    _try_read(lambda: _require_config(run), run.config_file, problems)
    _try_read(lambda: _require_header(run.path / "metrics.csv"), run.path / "metrics.csv", problems)
    pages = _try_read(lambda: natsorted(run.evaluation.glob("*/index.html"), key=str), run.evaluation, problems) or []
    evaluations = [name / page.relative_to(run.path) for page in pages]
    return RunCard(str(name), state, sample and name / sample.relative_to(run.path), evaluations, tuple(problems))


def _try_read(read: Callable[[], T], file: Path, problems: list[str]) -> T | None:
    """Calls `read`; on any error adds a sentence to the problems and returns None."""
    try:
        return read()
    except Exception as error:
        reason = str(error) or type(error).__name__
        problems.append(reason if str(file) in reason else f"{file}: cannot be read ({reason}).")
        return None


def _state(provenance: dict[str, Any]) -> str:
    best = "  ".join(f"{name} {value:.4g}" for name, value in provenance.get("best", {}).items())
    return f"finished  {best}" if provenance.get("finished") else "unfinished"


def _sample(run: Run, problems: list[str]) -> Path | None:
    sheet, unreadable = newest_sheet(run.path / "samples", "val")
    problems.extend(unreadable[:1])
    return sheet.path if sheet else None


def _require_config(run: Run) -> None:
    """Raises ValueError for a damaged configuration."""
    problem = _config_problem(run.config_file, run.config_file.stat().st_mtime_ns)
    if problem:
        raise ValueError(problem)


@lru_cache(maxsize=4096)
def _config_problem(file: Path, changed: int) -> str | None:
    """The problem of a configuration, or None. `changed`, the file's time, is part of the cache key."""
    try:
        Run(file.parent).config()
    except Exception as error:
        return str(error) or type(error).__name__
    return None


def _require_header(metrics: Path) -> None:
    """Raises ValueError for a metrics table without a header line."""
    if not metrics.is_file():
        return
    with metrics.open("rb") as file:
        header = file.readline(MAX_LINE_BYTES).decode()
    if header and "step" not in header.strip().split(","):
        raise ValueError("its first line does not name the columns")


def _report(problems: Iterable[str]) -> None:
    """Logs every problem once."""
    for problem in problems:
        if problem not in REPORTED:
            REPORTED.add(problem)
            log.warning("%s", problem)
