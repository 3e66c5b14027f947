"""Trainings on shards in an object store: moto's S3 server on this machine, reached through a gate that can misbehave.

pip install s3fs 'aiobotocore[boto3]' 'moto[server]' && make test-s3
"""

import http.client
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from pix2pix.runs.run import Run
from tests.conftest import TINY_FOLDER, command, noise_pairs, same_weights, start_command, wait_until
from tests.local_server import LocalServer, Silent
from tests.object_store.store import missing, start_store

pytestmark = [pytest.mark.slow, pytest.mark.skipif(missing() is not None, reason=missing() or "")]

SECRET = f"not-to-be-written-{time.time_ns()}"  # a run may keep this file, as a change of the repository
WORDS = [*TINY_FOLDER[1:], "data=shards", "data.direction=AtoB", "logger=csv", "data.path=s3://bucket/shards"]
PAUSE = "+callbacks.pause={_target_: tests.slurm.pause.Pause, seconds: 0.1}"
ROOT = Path(__file__).parents[2]


class Gate(LocalServer):
    """Passes requests on to a store.

    Args:
        port: of the store.
    """

    def __init__(self, port: int) -> None:
        super().__init__(Passage)
        self.port = port
        self.requests = 0
        self.delay = 0.0  # seconds before each answer
        self.refusals = 0  # how many of the next requests are answered with 503
        self.is_open = threading.Event()  # while it is not set, connections are closed without an answer
        self.is_open.set()

    def handle_error(self, request, client_address):
        """Says nothing of clients that went away."""


class Passage(Silent, BaseHTTPRequestHandler):
    """Answers what the store answers, or what the gate is to answer instead."""

    protocol_version = "HTTP/1.1"
    server: Gate

    def do_GET(self) -> None:
        self.server.requests += 1
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        time.sleep(self.server.delay)
        if not self.server.is_open.is_set():
            self.close_connection = True
            return
        if self.server.refusals > 0:
            self.server.refusals -= 1
            self.answer(503, [], b"<Error><Code>SlowDown</Code><Message>Please reduce your rate.</Message></Error>")
            return
        store = http.client.HTTPConnection("127.0.0.1", self.server.port)
        store.request(self.command, self.path, body, dict(self.headers.items()))
        reply = store.getresponse()
        self.answer(reply.status, reply.getheaders(), reply.read())
        store.close()

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - names of http.server

    def answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in {"content-length", "transfer-encoding", "connection", "date", "server"}:
                self.send_header(name, value)
        length = dict(headers).get("Content-Length", len(content)) if self.command == "HEAD" else len(content)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


@pytest.fixture(scope="module")
def store():
    """The port of moto's server."""
    with start_store() as started:
        yield started.port


@pytest.fixture
def gate(store, monkeypatch):
    """The gate to the store, to which s3fs is led by the variables of Amazon's own tools."""
    with Gate(store) as open_gate:
        monkeypatch.setenv("AWS_ENDPOINT_URL", open_gate.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        yield open_gate


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Path:
    """Shards of twenty pairs, in a folder."""
    folder = tmp_path_factory.mktemp("pairs")
    assert command("data", "shard", noise_pairs(folder / "pairs", 20), folder / "shards").returncode == 0
    return folder / "shards"


@pytest.fixture(scope="module")
def local(shards, tmp_path_factory) -> Run:
    """The training on the folder."""
    folder = tmp_path_factory.mktemp("local")
    result = command("train", *WORDS[:-1], f"data.path={shards}", f"output_dir={folder}", "name=run")
    assert result.returncode == 0, result.stderr
    return Run(folder / "run")


@pytest.fixture
def bucket(gate, shards):
    """The shards in a bucket of the store."""
    import s3fs

    system = s3fs.S3FileSystem(skip_instance_cache=True)
    if not system.exists("bucket"):
        system.mkdir("bucket")
        system.put(f"{shards}/", "bucket/shards/", recursive=True)
    assert {Path(key).name for key in system.ls("bucket/shards")} == {file.name for file in shards.iterdir()}
    gate.requests = 0


def words_in(folder: Path) -> list[str]:
    """The words of a training with two loader workers, in `folder`/run."""
    return [*WORDS, f"output_dir={folder}", "name=run", "data.num_workers=2"]


@contextmanager
def start_to_checkpoint(run: Run, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A training that has saved within its first epoch, and goes on."""
    with start_command("train", *words, PAUSE, "callbacks.checkpoint.every_n_steps=3", cold=True) as training:
        wait_until(run.resume_checkpoints, training)
        yield training


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize("workers", [0, 2])
def test_a_training_on_s3_is_that_on_the_folder_and_writes_no_login(gate, local, tmp_path, workers):
    result = command("train", *WORDS, f"data.num_workers={workers}", f"output_dir={tmp_path}", "name=run")
    assert result.returncode == 0, result.stderr
    assert same_weights(Run(tmp_path / "run"), local)
    print(f"\n[measured] {gate.requests} requests for {2 * 20 + 2} pairs, {workers} workers", flush=True)
    written = [file.read_bytes() for file in (tmp_path / "run").rglob("*") if file.is_file()]
    assert not any(SECRET.encode() in content for content in written)
    assert SECRET not in result.stdout + result.stderr


@pytest.mark.usefixtures("bucket")
def test_a_training_on_s3_is_resumed_within_an_epoch(local, tmp_path):
    words = words_in(tmp_path)
    run = Run(tmp_path / "run")
    with start_to_checkpoint(run, *words) as training:
        training.send_signal(signal.SIGTERM)
        training.communicate(timeout=120)
        assert training.returncode == 143
    again = command("train", *words)
    assert again.returncode == 0, again.stderr
    assert same_weights(run, local)


@pytest.mark.usefixtures("bucket")
def test_a_slow_store_and_one_that_is_too_busy_change_nothing(gate, local, tmp_path):
    gate.delay, gate.refusals = 0.1, 12
    result = command("train", *WORDS, f"output_dir={tmp_path}", "name=run")
    assert result.returncode == 0, result.stderr
    assert gate.refusals == 0
    assert same_weights(Run(tmp_path / "run"), local)


@pytest.mark.usefixtures("bucket")
def test_a_store_that_is_away_for_five_seconds_is_waited_for(gate, local, tmp_path):
    run = Run(tmp_path / "run")
    words = [*words_in(tmp_path), "data.cache=off"]
    with start_to_checkpoint(run, *words) as training:
        gate.is_open.clear()
        time.sleep(5)
        gate.is_open.set()
        _, complaints = training.communicate(timeout=300)
    assert training.returncode == 0, complaints
    assert same_weights(run, local)


@pytest.mark.usefixtures("bucket")
def test_a_store_that_stays_away_ends_the_training_in_words_and_it_goes_on_later(gate, local, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # as docs/shards.md advises: s3fs and Amazon's client try long enough
    run = Run(tmp_path / "run")
    words = [*words_in(tmp_path), "data.cache=off"]
    with start_to_checkpoint(run, *words) as training:
        gate.is_open.clear()
        began = time.monotonic()
        _, complaints = training.communicate(timeout=600)
    print(f"\n[measured] the store is away, until the training ends: {time.monotonic() - began:.0f} s", flush=True)
    assert training.returncode == 1
    assert "000000.tar: cannot be read" in complaints
    assert "Traceback" not in complaints
    gate.is_open.set()
    again = command("train", *words)
    assert again.returncode == 0, again.stderr
    assert same_weights(run, local)
