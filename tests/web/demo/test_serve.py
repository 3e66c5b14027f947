"""The command: it says where it is, ends when interrupted, and refuses in words."""

import re
import signal
import socket
import sys
import urllib.request

import numpy as np
import pytest

from pix2pix.web.demo import addresses, serve
from tests.conftest import pix2pix, start_command


def test_it_says_where_it_is_and_an_interrupt_ends_it_quietly(tiny_run):
    with start_command("demo", tiny_run.path, "--no-browser") as process:
        address = next(line for line in process.stdout if line.startswith("http"))
        assert re.match(r"http://127\.0\.0\.1:\d+/ ", address)
        with urllib.request.urlopen(f"{address.split()[0]}health", timeout=30) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=30)
    assert "Traceback" not in complaints


def test_the_page_is_opened_unless_told_otherwise(tiny_run, monkeypatch):
    opened = []
    monkeypatch.setattr("uvicorn.Server.run", lambda self, sockets: [listening.close() for listening in sockets])
    monkeypatch.setattr(serve.threading, "Timer", lambda wait, job, words: Now(job, words))
    monkeypatch.setattr("webbrowser.open", opened.append)
    pix2pix("demo", tiny_run.path, "--no-browser")
    assert not opened
    pix2pix("demo", tiny_run.path)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", opened[0])


class Now:
    """A timer that does not wait."""

    def __init__(self, job, words) -> None:
        self.start = lambda: job(*words)


def test_a_port_that_is_taken_is_refused_in_words(tiny_run):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SystemExit, match="Choose another --port"):
        pix2pix("demo", tiny_run.path, "--no-browser", "--port", str(taken.getsockname()[1]))


def test_what_is_no_run_is_refused_in_words(tmp_path):
    with pytest.raises(SystemExit, match="no runs here"):
        pix2pix("demo", str(tmp_path), "--no-browser")


def listen_or_skip(host):
    try:
        return addresses.listen(host, 0)
    except OSError:
        pytest.skip(f"this machine has no {host}")


@pytest.mark.parametrize(("host", "shown"), [("0.0.0.0", "127.0.0.1"), ("::1", "[::1]")])
def test_the_address_is_one_that_this_machine_can_open(host, shown):
    with listen_or_skip(host) as listening:
        assert addresses.url(listening) == f"http://{shown}:{listening.getsockname()[1]}/"


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", False), ("::1", False), ("0.0.0.0", True), ("::", True)])
def test_who_may_enter_is_said_where_that_is_not_this_machine_alone(host, warned):
    with listen_or_skip(host) as listening:
        address = addresses.network_url(listening)
        assert bool(address) == warned
        if address:
            message = addresses.exposure_warning(listening, address)
            assert f"--host {host}: every machine of the network" in message
            assert f":{listening.getsockname()[1]}/" in message
            assert not re.search(r"http://(127\.0\.0\.1|0\.0\.0\.0|\[::1?\]):", message)


class Listening:
    """A socket at an address that the tests' machine need not have."""

    family = socket.AF_INET

    def __init__(self, host: str) -> None:
        self.host = host

    def getsockname(self):
        return self.host, 8000


def test_an_address_of_the_network_is_the_one_for_others():
    assert addresses.network_url(Listening("192.168.1.5")) == "http://192.168.1.5:8000/"
    assert addresses.network_url(Listening("fe80::1%eth0")) == "http://[fe80::1%eth0]:8000/"


def test_the_command_says_that_others_may_enter(tiny_run, monkeypatch, caplog):
    monkeypatch.setattr("uvicorn.Server.run", lambda self, sockets: [listening.close() for listening in sockets])
    pix2pix("demo", tiny_run.path, "--no-browser", "--host", "0.0.0.0")
    assert "every machine of the network" in caplog.text


def test_the_code_for_a_phone_holds_the_address():
    cv2 = pytest.importorskip("cv2")
    pytest.importorskip("segno")
    # Each letter is two squares, one above the other, light or dark.
    lines = [
        [letter in row for letter in line]
        for line in addresses.draw_qr_code("http://192.168.1.5:8000/").splitlines()
        for row in ("\u2588\u2580", "\u2588\u2584")
    ]
    picture = np.kron(np.array(lines), np.full((8, 8), 255)).astype(np.uint8)
    assert cv2.QRCodeDetector().detectAndDecode(picture)[0] == "http://192.168.1.5:8000/"


def test_without_the_package_for_codes_there_is_none(monkeypatch):
    monkeypatch.setitem(sys.modules, "segno", None)
    assert addresses.draw_qr_code("http://192.168.1.5:8000/") is None
