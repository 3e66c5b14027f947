"""The plain HTTP endpoint: what it answers, what it refuses, and from whom."""

import http.client
import json
import socket
import struct
import threading
import time
import zlib

import pytest

from pix2pix.inference.translator import load_translator
from pix2pix.web.demo.limits import Limits
from tests.web.demo.conftest import picture, serving, until


def png(width: int, height: int, *, pixels: bytes = b"") -> bytes:
    """A PNG whose header claims a size, whatever it holds."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    content = zlib.compress(pixels, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", content) + chunk(b"IEND", b"")


def test_a_picture_comes_back_as_the_translator_makes_it_at_its_own_size(demo, two_runs, tmp_path):
    (tmp_path / "drawing.png").write_bytes(picture(50, 40))
    answer = demo.translate(picture(50, 40), "?seed=7")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/png")
    expected = load_translator(two_runs[0])(tmp_path / "drawing.png", seed=7)
    assert answer.picture.size == (50, 40)
    assert answer.picture.tobytes() == expected.tobytes()


def test_the_seed_chooses_the_noise(demo):
    answers = [demo.translate(picture(), f"?seed={seed}").body for seed in (1, 1, 2)]
    assert answers[0] == answers[1] != answers[2]


@pytest.mark.parametrize("kind", ["png", "jpg", "webp"])
def test_any_format_goes_in_and_comes_out(demo, kind):
    answer = demo.translate(picture(kind={"jpg": "JPEG"}.get(kind, kind)), f"?format={kind}")
    assert answer.picture.format == {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}[kind]


def test_runs_go_by_what_differs_and_by_number(demo):
    assert [run["name"] for run in demo.ask("GET", "/runs").json["runs"]] == ["patch16", "pixel"]
    by_name, by_number = (demo.translate(picture(), f"?run={run}").body for run in ("pixel", "1"))
    assert by_name == by_number


def test_the_page_data_tells_of_the_classes_as_brushes_and_of_the_samples(demo):
    page_data = demo.ask("GET", "/runs").json
    assert page_data["canvas"]["kind"] == "labels"
    assert {"name": "window", "colour": "#0055ff"} in page_data["canvas"]["brushes"]
    assert len(page_data["samples"]) == 2
    sample = demo.ask("GET", "/" + page_data["samples"][0]["target"])
    assert sample.picture.size == (32, 32)


def test_health_counts_what_is_being_served(demo):
    idle = {"status": "ok", "runs": 2, "requests": 0, "pages": 0}
    until(lambda: demo.ask("GET", "/health").json == idle)  # a page of the test before may just be leaving


@pytest.mark.parametrize(
    ("body", "query", "status", "words"),
    [
        (b"", "", 400, "empty"),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\n" + picture() + b"\r\n--x--", "", 415, "not a form"),
        (b"no picture", "", 415, "PNG, JPEG, WEBP, BMP"),
        (picture()[:200], "", 400, "cannot be decoded"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "", 415, "not a picture"),
        (picture(kind="GIF"), "", 415, "not a picture"),
        (png(3000, 3000), "", 413, "3000x3000"),
        (png(5000, 1), "", 413, "5000x1"),
        (png(60000, 60000), "", 413, "too many pixels"),
        (png(12000, 12000, pixels=bytes(10**7)), "", 413, "pixels"),
        (picture(), "?run=../../etc/passwd", 404, "GET /runs"),
        (picture(), "?run=2", 404, "GET /runs"),
        (picture(), "?seed=-1", 422, "seed"),
        (picture(), "?seed=one", 422, "seed"),
        (picture(), "?format=exe", 422, "format"),
        (picture(), "?path=/etc/passwd", 422, "path"),
    ],
)
def test_what_cannot_be_translated_is_refused_in_words(demo, body, query, status, words):
    answer = demo.translate(body, query)
    assert answer.status == status
    assert words in answer.json["error"]


def test_too_many_bytes_are_refused_before_they_are_read(demo):
    with socket.create_connection(demo.host.split(":")) as connection:
        connection.sendall(
            f"POST /translate HTTP/1.1\r\nHost: {demo.host}\r\nContent-Length: 9000000\r\n\r\nx".encode()
        )
        assert b" 413 " in connection.recv(100)


def test_bytes_are_counted_when_no_length_is_told(two_runs):
    with serving(two_runs[0], limits=Limits(bytes=1000), samples=False) as served:
        assert served.ask("POST", "/translate", iter([bytes(600), bytes(600)])).status == 413


def test_a_body_that_does_not_come_is_not_waited_for(two_runs):
    with (
        serving(two_runs[0], limits=Limits(seconds=0.2), samples=False) as served,
        socket.create_connection(served.host.split(":")) as connection,
    ):
        connection.sendall(f"POST /translate HTTP/1.1\r\nHost: {served.host}\r\nContent-Length: 99\r\n\r\nx".encode())
        assert b" 408 " in connection.recv(100)


def test_who_finds_it_busy_is_told_when_to_come_again(two_runs):
    with (
        serving(two_runs[0], limits=Limits(requests=1), samples=False) as served,
        socket.create_connection(served.host.split(":")) as slow,
    ):
        body = picture()
        head = f"POST /translate HTTP/1.1\r\nHost: {served.host}\r\nContent-Length: {len(body)}\r\n\r\n"
        slow.sendall(head.encode() + body[:10])
        while not served.ask("GET", "/health").json["requests"]:
            pass
        busy = served.translate(body)
        assert (busy.status, busy.headers["retry-after"]) == (503, "1")
        slow.sendall(body[10:])
        assert b" 200 " in slow.recv(100)
        until(lambda: served.ask("GET", "/health").json["requests"] == 0)
        assert served.translate(body).status == 200


def test_a_name_that_was_bent_to_this_machine_is_turned_away(demo):
    for path in ("/", "/runs", "/translate"):
        assert demo.ask("GET", path, Host="evil.example").status == 403
    assert demo.translate(picture(), Host="evil.example:80").status == 403
    assert demo.ask("GET", "/runs", Host="[").status == 403
    for host in ("localhost:1", "127.0.0.1", "[::1]:8000", "192.168.1.7"):
        assert demo.ask("GET", "/health", Host=host).status == 200


def test_a_host_name_can_be_allowed(two_runs):
    with serving(two_runs[0], names=["demo.example"], samples=False) as served:
        assert served.ask("GET", "/health", Host="demo.example").status == 200


def test_a_page_from_elsewhere_cannot_post(demo):
    assert demo.translate(picture(), Origin="http://evil.example").status == 403
    assert demo.translate(picture(), Origin="null").status == 403
    assert demo.translate(picture(), Origin=f"http://{demo.host}").status == 200


def test_no_path_leads_out_of_the_page(demo):
    for path in ("/../cli.py", "/..%2fcli.py", "/samples/../../config.yaml", "/page/index.html", "//etc/passwd"):
        assert demo.ask("GET", path).status in {400, 404}


def test_nothing_is_asked_of_other_hosts(demo):
    page = demo.ask("GET", "/")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    for path in ("/", "/colours.css", "/style.css", "/main.js", "/icon.svg", "/icons.svg"):
        text = demo.ask("GET", path).body.decode().replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text
        assert "https://" not in text


def test_the_schema_says_what_is_served_and_the_limits_that_hold(demo):
    schema = demo.ask("GET", "/openapi.json").json
    page_data = demo.ask("GET", "/runs").json
    documented = schema["components"]["schemas"]["PageData"]["properties"]
    assert set(documented) == set(page_data)
    assert set(documented["runs"]["items"]["properties"]) == set(page_data["runs"][0])
    assert set(documented["canvas"]["properties"]) == set(page_data["canvas"])
    for path, methods in schema["paths"].items():
        for method in methods:
            assert demo.ask(method.upper(), path).status != 404
    text, limits = json.dumps(schema), Limits()
    for number in (limits.bytes, limits.pixels, limits.side, limits.requests):
        assert f"{number} " in text


def test_the_event_loop_is_free_while_the_model_works(two_runs, monkeypatch):
    entered, leave = threading.Event(), threading.Event()

    def slow(self, body, run, query):
        entered.set()
        assert leave.wait(30)
        return body

    monkeypatch.setattr("pix2pix.web.demo.app.Demo._translate", slow)
    with serving(two_runs[0], samples=False) as served:
        asking = threading.Thread(target=served.translate, args=(picture(),))
        asking.start()
        assert entered.wait(30)
        assert served.ask("GET", "/health").json["requests"] == 1
        leave.set()
        asking.join()


def test_a_translation_that_fails_is_a_500_and_not_the_end(demo, monkeypatch):
    def broken(self, picture, seed):
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr("pix2pix.web.demo.runs.LoadedRun.translate", broken)
        answer = demo.translate(picture())
    assert answer.status == 500
    assert "out of memory" not in answer.json["error"]
    assert demo.translate(picture()).status == 200


def send(host: str, body: bytes, length: int | None = None) -> socket.socket:
    """A connection on which a picture is posted, whose answer nobody has read."""
    connection = socket.create_connection(host.split(":"))
    head = f"POST /translate HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length or len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)
    return connection


def read_until(end: bytes, connection: socket.socket) -> None:
    received = b""
    while end not in received:
        part = connection.recv(1000)
        assert part
        received += part


@pytest.mark.parametrize("side", [32, 200])  # of 3 and of 120 kB: more is not read ahead
def test_requests_whose_clients_left_are_not_computed(two_runs, monkeypatch, side):
    begun, go_on = [], threading.Event()

    def hold(self, body, run, query):
        begun.append(1)
        go_on.wait(30)
        return b"done"

    monkeypatch.setattr("pix2pix.web.demo.app.Demo._translate", hold)
    with serving(two_runs[0], samples=False) as served:
        connections = [send(served.host, picture(side, side)) for _ in range(6)]
        until(lambda: served.ask("GET", "/health").json["requests"] == 6)
        for connection in connections[:5]:
            connection.close()
        until(lambda: served.ask("GET", "/health").json["requests"] == 1)
        go_on.set()
        read_until(b"done", connections[5])
        connections[5].close()
    assert len(begun) <= 2  # the one that was begun, and the one that stayed


def test_a_client_that_leaves_during_its_upload_is_nothing_to_tell(two_runs, caplog, capfd):
    with serving(two_runs[0], samples=False) as served:
        send(served.host, b"abc", length=1000).close()
        until(lambda: served.ask("GET", "/health").json["requests"] == 0)
        assert served.translate(picture()).status == 200
    assert not [record for record in caplog.records if record.levelname in {"WARNING", "ERROR"}]
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    "half",
    [
        b"",
        b"GET /health HTTP/1.1\r\nHost: 127",
        b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: upgr",
    ],
    ids=["nothing", "half", "half-an-upgrade"],
)
def test_headers_that_do_not_come_are_not_waited_for(two_runs, monkeypatch, half):
    with serving(two_runs[0], samples=False) as served:
        with monkeypatch.context() as patch:
            patch.setattr("pix2pix.web.demo.serve.HEADER_SECONDS", 0.3)
            with socket.create_connection(served.host.split(":"), timeout=60) as connection:
                connection.sendall(half)
                assert connection.recv(1000) == b""  # the server closes
        assert served.ask("GET", "/health").status == 200


def test_headers_of_a_second_request_are_not_waited_for_either(demo, monkeypatch):
    with socket.create_connection(demo.host.split(":"), timeout=60) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        read_until(b'"pages":', connection)
        monkeypatch.setattr("pix2pix.web.demo.serve.HEADER_SECONDS", 0.3)
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: 127")
        assert connection.recv(1000) == b""


def test_a_translation_may_take_longer_than_headers(two_runs, monkeypatch):
    monkeypatch.setattr("pix2pix.web.demo.serve.HEADER_SECONDS", 0.2)
    monkeypatch.setattr("pix2pix.web.demo.app.Demo._translate", lambda *_: time.sleep(0.6) or b"done")

    def is_translated() -> bool:
        try:
            return served.translate(picture()).body == b"done"
        except (OSError, http.client.HTTPException):  # a busy machine sent the headers too late
            return False

    with serving(two_runs[0], samples=False) as served:
        until(is_translated)
