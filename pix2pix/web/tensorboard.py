"""TensorBoard behind the dashboard: runs by their own names, and a start without notices."""

import atexit
import contextlib
import io
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tensorboard import program

from pix2pix.runs.run import Run

PREFIX = "/tensorboard"


class RunLinks:
    """A folder of links for TensorBoard: `NAME` leads to `NAME/tensorboard`, so that a run has its own name there.

    Args:
        outputs: the folder of the runs.
    """

    def __init__(self, outputs: Path) -> None:
        self.outputs = outputs
        self._folder = Path(tempfile.mkdtemp(prefix="pix2pix-tensorboard-"))
        atexit.register(shutil.rmtree, self._folder, ignore_errors=True)  # it removes links, not what they lead to
        self.can_link = True

    @property
    def logdir(self) -> Path:
        """The folder that TensorBoard reads; that of the runs where the system allows no links."""
        return self._folder if self.can_link else self.outputs

    def update(self, runs: Iterable[Run]) -> None:
        """Adds links to runs that are new; a link whose run is gone leads nowhere, and is passed over."""
        for run in runs:
            events = run.path / "tensorboard"
            name = run.path.relative_to(self.outputs) if run.path.is_relative_to(self.outputs) else Path(run.path.name)
            link = self._place(name if name.parts else Path(self.outputs.name))
            if events.is_dir() and not os.path.lexists(link):
                self._link(link, events)

    def _place(self, name: Path) -> Path:
        """Where the link of a run stands: never below another link, which would be within that run's files."""
        is_nested = any((self._folder / parent).is_symlink() for parent in name.parents)
        return self._folder / (" + ".join(name.parts) if is_nested else name)

    def _link(self, link: Path, events: Path) -> None:
        try:
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(events.resolve(), target_is_directory=True)
        except OSError:  # Windows asks for a right
            self.can_link = False


def launch(logdir: Path, port: int, wrap: Callable[[Any], Any]) -> str:
    """Starts TensorBoard's server, with its application wrapped, and returns the address.

    Raises:
        TensorBoardPortInUseError: if the port is taken.
    """

    class Server(program.WerkzeugServer):
        """TensorBoard's server with pages of ours before it."""

        def __init__(self, tensorboard: Any, flags: Any) -> None:
            super().__init__(wrap(tensorboard), flags)

    board = program.TensorBoard(server_class=Server)
    board.configure(logdir=str(logdir), host="127.0.0.1", port=port, path_prefix=PREFIX, reload_multifile=True)
    for name in ("tensorboard", "werkzeug"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with _silence_notices():
        address = board.launch()
    return address.removesuffix(f"{PREFIX}/") + "/"


@contextlib.contextmanager
def _silence_notices() -> Any:
    """Hides what TensorBoard says of its data server: users can do nothing about it."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.WARNING)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        root.setLevel(level)
