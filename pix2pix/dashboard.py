"""A page on this machine for a folder of runs: TensorBoard, comparisons, evaluations and the newest samples."""

import logging
import threading
import webbrowser
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from natsort import natsorted
from tensorboard import program
from werkzeug.middleware.shared_data import SharedDataMiddleware
from werkzeug.wrappers import Request, Response

from pix2pix.evaluation.comparison import find_runs, walked
from pix2pix.run import Run
from pix2pix.sheets import newest

TENSORBOARD, FILES = "/tensorboard", "/files"
COMPARISON = "comparison.html"


class Card(NamedTuple):
    """A run as the page shows it; paths are relative to the folder of runs."""

    name: str
    state: str
    sample: Path | None
    evaluations: list[Path]


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
        return _launched(outputs.resolve(), port)
    except program.TensorBoardPortInUseError:
        return _launched(outputs.resolve(), 0)


def _launched(outputs: Path, port: int) -> str:
    class Server(program.WerkzeugServer):
        """TensorBoard's own server, with our page in front of it."""

        def __init__(self, tensorboard: Any, flags: Any) -> None:
            super().__init__(with_front_page(tensorboard, outputs), flags)

    board = program.TensorBoard(server_class=Server)
    board.configure(logdir=str(outputs), host="127.0.0.1", port=port, path_prefix=TENSORBOARD, reload_multifile=True)
    for talkative in ("tensorboard", "werkzeug"):
        logging.getLogger(talkative).setLevel(logging.ERROR)
    return board.launch().removesuffix(f"{TENSORBOARD}/") + "/"


def with_front_page(tensorboard: Any, outputs: Path) -> Any:
    """TensorBoard's WSGI application, and before it the page and the files it links to: pages and pictures only."""

    @Request.application
    def front(request: Request) -> Response:
        if request.path != "/":
            return Response("there is no such page; the runs are at /", status=404)
        return Response(front_page(outputs), content_type="text/html; charset=utf-8")

    files = SharedDataMiddleware(front, {FILES: str(outputs)})
    files.is_allowed = lambda filename: Path(filename).suffix in {".html", ".png", ".jpg"}

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        ours = not environ.get("PATH_INFO", "/").startswith(TENSORBOARD)
        return (files if ours else tensorboard)(environ, start_response)

    return application


def front_page(outputs: Path) -> str:
    """The page: what there is in the folder now."""
    template = Path(__file__).with_name("dashboard.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    compared = (folder.relative_to(outputs) for folder, files in walked(outputs) if COMPARISON in files)
    comparisons = [folder / COMPARISON for folder in natsorted(compared, key=str)]
    cards = [card(run, outputs) for run in find_runs([outputs])]
    return environment.from_string(template).render(
        outputs=outputs, comparisons=comparisons, cards=cards, tensorboard=f"{TENSORBOARD}/", files=FILES
    )


def card(run: Run, outputs: Path) -> Card:
    """What the page shows of a run."""
    sample = newest(run.path / "samples", "val")
    evaluations = natsorted(run.evaluation.glob("*/index.html"), key=str)
    provenance = run.provenance()
    best = "  ".join(f"{name} {value:.4g}" for name, value in provenance.get("best", {}).items())
    return Card(
        str(run.path.resolve().relative_to(outputs)),
        f"finished  {best}" if provenance.get("finished") else "unfinished",
        sample.path.resolve().relative_to(outputs) if sample else None,
        [page.resolve().relative_to(outputs) for page in evaluations],
    )
