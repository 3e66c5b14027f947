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

import jinja2
from natsort import natsorted
from tensorboard import program
from werkzeug.middleware.shared_data import SharedDataMiddleware
from werkzeug.wrappers import Request, Response

from pix2pix.data.images.picture_files import readable_name
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
REPORTED: set[str] = set()  # faults that the terminal knows of


class RunCard(NamedTuple):
    """A run as the page shows it; paths are relative to the folder of runs."""

    name: str
    state: str
    sample: Path | None
    evaluations: list[Path]
    faults: tuple[str, ...] = ()


def serve(outputs: Path, *, port: int = 6006, open_browser: bool = True) -> None:
    """Serves the page on 127.0.0.1 until Ctrl-C."""
    address = start(outputs, port=port)
    print(f"{address}\nCtrl-C ends it.", flush=True)
    if open_browser:
        webbrowser.open(address)
    threading.Event().wait()


def start(outputs: Path, *, port: int = 6006) -> str:
    """Starts the server on a thread of its own; its address, on another port where `port` is taken.

    Raises:
        FileNotFoundError: for a folder without runs.
    """
    find_runs([outputs])
    try:
        return _launch(outputs.resolve(), port)
    except program.TensorBoardPortInUseError:
        return _launch(outputs.resolve(), 0)


def _launch(outputs: Path, port: int) -> str:
    class Server(program.WerkzeugServer):
        """TensorBoard's own server, with our page in front of it."""

        def __init__(self, tensorboard: Any, flags: Any) -> None:
            super().__init__(add_front_page(tensorboard, outputs), flags)

    board = program.TensorBoard(server_class=Server)
    board.configure(logdir=str(outputs), host="127.0.0.1", port=port, path_prefix=TENSORBOARD, reload_multifile=True)
    for talkative in ("tensorboard", "werkzeug"):
        logging.getLogger(talkative).setLevel(logging.ERROR)
    return board.launch().removesuffix(f"{TENSORBOARD}/") + "/"


def add_front_page(tensorboard: Any, outputs: Path) -> Any:
    """TensorBoard's WSGI application, and before it the page and the files it links to: pages and pictures only.

    Requests under a foreign host name are turned away before any of them, as the demo does it.
    """

    @Request.application
    def front(request: Request) -> Response:
        if request.path != "/":
            return Response("there is no such page; the runs are at /", status=404)
        return Response(front_page(outputs), content_type="text/html; charset=utf-8", headers=HEADERS)

    files = SharedDataMiddleware(front, {FILES: str(outputs)})
    files.is_allowed = lambda filename: Path(filename).suffix in {".html", ".png", ".jpg"}
    hosts = HostRules()

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        asked, origin = environ.get("HTTP_HOST", ""), environ.get("HTTP_ORIGIN", "")
        refusal = hosts.rejection_reason(asked, origin, reads=environ.get("REQUEST_METHOD") in {"GET", "HEAD"})
        if refusal:
            return Response(refusal, status=403)(environ, start_response)
        path = environ.get("PATH_INFO", "/")
        if path.startswith(TENSORBOARD):
            return tensorboard(environ, start_response)
        return files(environ, _sandbox(start_response) if path.startswith(FILES) else start_response)

    return application


def _sandbox(start_response: Any) -> Any:
    """The same, for a page that a run brought along: its scripts reach neither other runs nor TensorBoard."""

    def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        return start_response(status, [*headers, *SANDBOX_HEADERS.items()], *rest)

    return start


def front_page(outputs: Path) -> str:
    """The page: what there is in the folder now. A run with damaged files is shown with what is wrong with them."""
    template = Path(__file__).with_name("dashboard.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters |= {"link": _link, "shown": lambda name: readable_name(str(name))}
    compared = (folder.relative_to(outputs) for folder, files in walk_folders(outputs) if COMPARISON in files)
    comparisons = [folder / COMPARISON for folder in natsorted(compared, key=str)]
    cards = [make_card(run, outputs) for run in _runs(outputs)]
    _report(fault for card in cards for fault in card.faults)
    return environment.from_string(template).render(
        outputs=outputs, comparisons=comparisons, cards=cards, tensorboard=f"{TENSORBOARD}/"
    )


def _runs(outputs: Path) -> list[Run]:
    with suppress(FileNotFoundError):  # all of them were removed since the start
        return find_runs([outputs])
    return []


def _link(page: Path) -> str:
    return f"{FILES}/{quote(os.fsencode(page.as_posix()))}"


def make_card(run: Run, outputs: Path) -> RunCard:
    """What the page shows of a run, as far as its files can be read."""
    faults: list[str] = []
    place = run.path.relative_to(outputs) if run.path.is_relative_to(outputs) else run.path
    state = _try_read(lambda: _state(run.provenance()), run.provenance_file, faults) or "unknown"
    sample = _try_read(lambda: _sample(run, faults), run.path / "samples", faults)
    _try_read(lambda: _require_config(run), run.config_file, faults)
    _try_read(lambda: _require_header(run.path / "metrics.csv"), run.path / "metrics.csv", faults)
    pages = _try_read(lambda: natsorted(run.evaluation.glob("*/index.html"), key=str), run.evaluation, faults) or []
    evaluations = [place / page.relative_to(run.path) for page in pages]
    return RunCard(str(place), state, sample and place / sample.relative_to(run.path), evaluations, tuple(faults))


def _try_read(read: Callable[[], T], file: Path, faults: list[str]) -> T | None:
    """What a file says; where it is damaged, in whatever way, None and a sentence among the faults."""
    try:
        return read()
    except Exception as error:
        reason = str(error) or type(error).__name__
        faults.append(reason if str(file) in reason else f"{file}: cannot be read ({reason}).")
        return None


def _state(provenance: dict[str, Any]) -> str:
    best = "  ".join(f"{name} {value:.4g}" for name, value in provenance.get("best", {}).items())
    return f"finished  {best}" if provenance.get("finished") else "unfinished"


def _sample(run: Run, faults: list[str]) -> Path | None:
    sheet, unread = newest_sheet(run.path / "samples", "val")
    faults.extend(unread[:1])
    return sheet.path if sheet else None


def _require_config(run: Run) -> None:
    """Raises ValueError for a configuration that is damaged."""
    fault = _config_fault(run.config_file, run.config_file.stat().st_mtime_ns)
    if fault:
        raise ValueError(fault)


@lru_cache(maxsize=4096)
def _config_fault(file: Path, changed: int) -> str | None:
    """What is wrong with a configuration; read once for each change of the file."""
    try:
        whole = isinstance(Run(file.parent).config(), dict)
    except Exception as error:
        return str(error) or type(error).__name__
    return None if whole else f"{file}: holds no configuration; it was cut short or damaged."


def _require_header(metrics: Path) -> None:
    """Raises ValueError for a table of metrics that begins with anything but the names of its columns."""
    if not metrics.is_file():
        return
    with metrics.open("rb") as file:
        header = file.readline(MAX_LINE_BYTES).decode()
    if header and "step" not in header.strip().split(","):
        raise ValueError("it does not begin with the names of its columns")


def _report(faults: Iterable[str]) -> None:
    """Says every fault once in the terminal."""
    for fault in faults:
        if fault not in REPORTED:
            REPORTED.add(fault)
            log.warning("%s", fault)
