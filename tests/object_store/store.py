"""moto's S3 server, a process of its own on this machine: pip install s3fs 'aiobotocore[boto3]' 'moto[server]'."""

import importlib.util
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

PACKAGES = ("s3fs", "moto", "flask")


def missing() -> str | None:
    """Why no store can be started here; None if it can."""
    if absent := [name for name in PACKAGES if importlib.util.find_spec(name) is None]:
        return f"needs {', '.join(absent)}: pip install s3fs 'aiobotocore[boto3]' 'moto[server]'"
    return None


@dataclass
class Store:
    """A running server.

    Args:
        port: on 127.0.0.1.
        requests: how many it has answered.
    """

    port: int
    requests: int = 0


@contextmanager
def start_store() -> Iterator[Store]:
    """A store without content, until the end of the block."""
    call = [sys.executable, "-c", "from moto.server import main; main(['-H', '127.0.0.1', '-p', '0'])"]
    with subprocess.Popen(call, stderr=subprocess.PIPE, text=True) as server:
        lines = server.stderr
        assert lines is not None
        line = next(line for line in lines if "Running on" in line)
        store = Store(int(line.rstrip().rpartition(":")[2].rstrip("/")))

        def count() -> None:
            for line in lines:
                store.requests += " HTTP/1.1" in line

        threading.Thread(target=count, daemon=True).start()
        try:
            yield store
        finally:
            server.terminate()
