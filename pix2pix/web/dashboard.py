"""The dashboard: a live table of all runs in a folder, with comparisons, evaluations, samples and TensorBoard."""

import os
import secrets
import threading
import webbrowser
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from natsort import natsorted
from tensorboard import program
from werkzeug.middleware.shared_data import SharedDataMiddleware
from werkzeug.wrappers import Request, Response

from pix2pix.core.html_page import SHARED, render_page, to_script_json
from pix2pix.data.images.picture_files import printable_name
from pix2pix.evaluation.comparison_page import render_comparison
from pix2pix.evaluation.load_comparison import load_comparison
from pix2pix.runs.find import find_runs, walk_folders
from pix2pix.runs.run import Run
from pix2pix.web import tensorboard as board
from pix2pix.web.demo.host_guard import HostRules
from pix2pix.web.demo_process import DemoProcesses
from pix2pix.web.run_cards import CardReader, describe_differences, report_problems

FILES = "/files"
FONTS = "/font-roboto"  # TensorBoard asks for its fonts without its prefix
COMPARISON = "comparison.html"
HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache"}
POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SANDBOX_HEADERS = {"Content-Security-Policy": "sandbox allow-scripts allow-popups allow-downloads"}
SANDBOX_HEADERS |= {"X-Content-Type-Options": "nosniff"}


def serve(outputs: Path, *, port: int = 6006, open_browser: bool = True, demo_options: Sequence[str] = ()) -> None:
    """Serves the page on 127.0.0.1 until Ctrl-C; `demo_options` as of `FrontPage`."""
    address = start(outputs, port=port, demo_options=demo_options)
    print(f"{address}\nPress Ctrl-C to stop.", flush=True)
    if open_browser:
        webbrowser.open(address)
    threading.Event().wait()


def start(outputs: Path, *, port: int = 6006, demo_options: Sequence[str] = ()) -> str:
    """Starts the server in a thread and returns its address; uses a free port if `port` is taken.

    Raises:
        FileNotFoundError: for a folder without runs.
    """
    runs = find_runs([outputs])  # raises if there are none
    outputs = outputs.resolve()
    links = board.RunLinks(outputs)
    links.update(Run(run.path.resolve()) for run in runs)
    page = FrontPage(outputs, links, demo_options)
    try:
        return board.launch(links.logdir, port, lambda application: add_front_page(application, page))
    except program.TensorBoardPortInUseError:
        return board.launch(links.logdir, 0, lambda application: add_front_page(application, page))


class FrontPage:
    """The pages of the dashboard itself: the table, its data, comparisons of chosen runs, and the start of a demo.

    Args:
        outputs: the folder of the runs.
        links: TensorBoard's links, which are kept up with new runs.
        demo_options: options of `pix2pix demo` for the demos that it starts, such as `--seed=3`.
    """

    def __init__(self, outputs: Path, links: board.RunLinks | None = None, demo_options: Sequence[str] = ()) -> None:
        self.outputs, self.links, self.demos = outputs, links, DemoProcesses(demo_options)
        self.cards = CardReader(outputs)

    def answer(self, request: Request) -> Response:
        """The answer to a request for anything but files and TensorBoard."""
        pages = {"/": self.show_table, "/runs.json": self.list_runs, "/compare": self.compare, "/demo": self.start_demo}
        if request.path == "/favicon.ico":
            return Response((SHARED / "icon.svg").read_bytes(), content_type="image/svg+xml", headers=HEADERS)
        page = pages.get(request.path)
        if page is None:
            return _refuse("no such page; the runs are at /", 404)
        if request.method not in ({"POST"} if request.path == "/demo" else {"GET", "HEAD"}):
            return _refuse("this page does not take that method", 405)
        return page(request)

    def show_table(self, request: Request) -> Response:
        """The page, with the runs as they are now."""
        nonce = secrets.token_urlsafe(16)
        page = render_page(
            Path(__file__).with_name("dashboard.html"),
            **{"outputs": self.outputs, "tensorboard": f"{board.PREFIX}/", "printable": printable_name},
            **{"nonce": nonce, "data": to_script_json(self.collect())},
        )
        headers = HEADERS | {"Content-Security-Policy": POLICY.format(nonce=nonce)}
        return Response(page, content_type="text/html; charset=utf-8", headers=headers)

    def list_runs(self, request: Request) -> Response:
        """The rows of the table as JSON; the page asks for them every few seconds."""
        return Response(to_script_json(self.collect()), content_type="application/json", headers=HEADERS)

    def compare(self, request: Request) -> Response:
        """The comparison page of the runs that the address names, from their evaluations as they are."""
        try:
            runs = self._find_chosen(request.args.getlist("run"))
            page = render_comparison(load_comparison(runs, "val"))
        except (ValueError, OSError) as error:
            return _refuse(str(error), 400)
        return Response(page, content_type="text/html; charset=utf-8", headers=HEADERS | SANDBOX_HEADERS)

    def start_demo(self, request: Request) -> Response:
        """Starts a demo of the chosen runs, and answers with its address."""
        try:
            address = self.demos.start([run.path for run in self._find_chosen(request.form.getlist("run"))])
        except (ValueError, OSError) as error:
            return _refuse(str(error), 400)
        return Response(address, content_type="text/plain; charset=utf-8", headers=HEADERS)

    def _find_chosen(self, names: Sequence[str]) -> list[Run]:
        """The runs of these names, in the order of the folder. Raises ValueError for another name, or none."""
        runs = {_name(run, self.outputs): run for run in _runs(self.outputs)}
        if not names:
            raise ValueError("no run is chosen.")
        if unknown := [name for name in names if name not in runs]:
            raise ValueError(f"{unknown[0]}: no such run in {self.outputs}.")
        return [run for name, run in runs.items() if name in names]

    def collect(self) -> dict[str, Any]:
        """The data of the table, from the current files of the folder; damaged files are listed with the run."""
        runs = _runs(self.outputs)
        if self.links:
            self.links.update(runs)
        cards = [self.cards.read(run) for run in runs]
        report_problems(problem for card in cards for problem in card.problems)
        folders = (
            folder.relative_to(self.outputs) for folder, files in walk_folders(self.outputs) if COMPARISON in files
        )
        pages = [folder / COMPARISON for folder in natsorted(folders, key=str)]
        return {
            "runs": [card.to_json(text, _link) for card, text in zip(cards, describe_differences(cards), strict=True)],
            "comparisons": [{"name": printable_name(str(page.parent)), "link": _link(page)} for page in pages],
        }


def add_front_page(tensorboard: Any, page: FrontPage) -> Any:
    """Wraps TensorBoard's WSGI application with the front page and the pages and pictures it links to.

    Requests with a foreign host name are rejected, as in the demo.
    """
    # Only pages and pictures: checkpoints and configurations of the runs are not served.
    files = SharedDataMiddleware(Request.application(page.answer), {FILES: str(page.outputs)})
    files.is_allowed = lambda filename: Path(filename).suffix in {".html", ".png", ".jpg"}
    host_rules = HostRules()

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        host, origin = environ.get("HTTP_HOST", ""), environ.get("HTTP_ORIGIN", "")
        reason = host_rules.rejection_reason(host, origin, reads=environ.get("REQUEST_METHOD") in {"GET", "HEAD"})
        if reason:
            return Response(reason, status=403)(environ, start_response)
        path = environ.get("PATH_INFO", "/")
        if path.startswith(FONTS):
            path = environ["PATH_INFO"] = f"{board.PREFIX}{path}"
        if path.startswith(board.PREFIX):
            return tensorboard(environ, start_response)
        return files(environ, _sandbox(start_response) if path.startswith(FILES) else start_response)

    return application


def _sandbox(start_response: Any) -> Any:
    """Adds headers that keep the scripts of a run's page from other runs and TensorBoard."""

    def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        return start_response(status, [*headers, *SANDBOX_HEADERS.items()], *rest)

    return start


def _refuse(reason: str, status: int) -> Response:
    return Response(printable_name(reason), status=status, headers=HEADERS)


def _runs(outputs: Path) -> list[Run]:
    with suppress(FileNotFoundError):  # all runs were removed since the start
        return find_runs([outputs])
    return []


def _name(run: Run, outputs: Path) -> str:
    return str(run.path.relative_to(outputs) if run.path.is_relative_to(outputs) else run.path)


def _link(page: Path) -> str:
    return f"{FILES}/{quote(os.fsencode(page.as_posix()))}"
