"""Starts processes of the command line with torch and Lightning imported: copies of one process that did it once.

Such a process has its own pid, environment, folder, pipes, signals and exit code; only its imports come from the copy.
What is said of the start itself (imports, locale, the words in the process table) needs a cold process.
"""

import ctypes
import gc
import importlib
import inspect
import json
import os
import pkgutil
import runpy
import signal
import socket
import sys
import time
from functools import cache
from pathlib import Path
from subprocess import Popen
from typing import Any

PR_SET_CHILD_SUBREAPER = 36
LARGEST = 1 << 18  # bytes of a request, most of which is the environment


class WarmPopen(Popen):
    """As Popen, but without the seconds of imports for `python -m pix2pix.cli WORDS` or `python -c CODE WORDS`."""

    def _execute_child(self, *given: Any) -> None:
        asked = inspect.signature(Popen._execute_child).bind(self, *given).arguments
        program, *others = asked["args"]
        if sys.platform != "linux" or program != sys.executable or others[:1] not in (["-c"], ["-m"]):
            super()._execute_child(*given)
            return
        pipes = [asked["p2cread"], asked["c2pwrite"], asked["errwrite"]]
        files = [number if pipe == -1 else pipe for number, pipe in enumerate(pipes)]
        request = {"args": others, "cwd": str(asked["cwd"] or Path.cwd())}
        request |= {"environment": dict(asked["env"] or os.environ), "session": asked["start_new_session"]}
        self.pid = start_copy(request, files)
        self._child_created = True
        self._close_pipe_fds(*map(asked.get, ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")))


def start_copy(request: dict[str, Any], files: list[int]) -> int:
    """Starts a copy with these files as standard input, output and error; returns its pid, a child of this process."""
    connection = start_original()
    adopt_orphans(True)  # of the process between the original and its copy, which ends at once
    try:
        socket.send_fds(connection, [json.dumps(request).encode()], files)
        return int(connection.recv(100))
    finally:
        adopt_orphans(False)


def adopt_orphans(on: bool) -> None:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0)


@cache
def start_original() -> socket.socket:
    """Starts the process that imports everything, once for all tests; it ends with this process."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        words = [sys.executable, "-m", "tests.warm", str(its.fileno())]
        original = Popen(words, pass_fds=[its.fileno()], cwd=Path(__file__).parents[1])
    original.returncode = 0  # nobody waits for it
    return ours


def serve(connection: socket.socket) -> None:
    """The original: makes a copy for each request, and ends when nobody can ask any more."""
    import_everything()
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a copy has one thread: the others would be lost"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        content, files, _, _ = socket.recv_fds(connection, LARGEST, 3)
        if not content:
            return
        if (pid := fork_twice()) == 0:
            connection.close()
            become(json.loads(content), files)
            return
        for file in files:
            os.close(file)
        connection.send(str(pid).encode())


def import_everything() -> None:
    """Imports what commands import, and finds Hydra's plugins; nothing is computed."""
    from PIL import Image

    import pix2pix
    from pix2pix.config.compose import compose_settings

    for name in ("torch.utils.tensorboard", "pytorch_lightning", "torchmetrics"):
        importlib.import_module(name)
    for module in pkgutil.walk_packages(pix2pix.__path__, "pix2pix."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    compose_settings([])
    Image.init()
    gc.collect()
    gc.freeze()  # the collector then leaves what copies share with the original alone


def fork_twice() -> int:
    """Makes a copy whose parent has ended, so that the process of the tests adopts it; returns 0 in the copy."""
    reading, writing = os.pipe()
    if (between := os.fork()) == 0:
        parent = os.getpid()
        if (pid := os.fork()) == 0:
            os.close(reading)
            os.close(writing)
            while os.getppid() == parent:  # until it is adopted
                time.sleep(0.001)
            return 0
        os.write(writing, str(pid).encode())
        os._exit(0)
    os.waitpid(between, 0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        return int(file.read())


def become(request: dict[str, Any], files: list[int]) -> None:
    """Runs the request in this copy, as Python does that is started with its words."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    if request["session"]:
        os.setsid()
    os.chdir(request["cwd"])
    sys.path[0] = str(Path.cwd())
    os.environ.clear()
    os.environ.update(request["environment"])
    option, value, *words = request["args"]
    sys.argv = ["-c" if option == "-c" else value, *words]
    if option == "-m":
        runpy.run_module(value, run_name="__main__", alter_sys=True)
    else:
        exec(value, {"__name__": "__main__"})


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
