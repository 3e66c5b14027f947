"""The live channel: the newest drawing wins, every answer has its number, nothing that is sent can end it."""

import json
import queue
import socket
import threading
import time

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus
from websockets.sync.client import connect

from pix2pix.web.demo.limits import Limits
from pix2pix.web.demo.runs import load_runs
from pix2pix.web.demo.websocket import LatestMessage
from tests.web.demo.conftest import serving, until

SIDE = 32


def connect_to(demo, **options):
    return connect(f"ws://{demo.host}/live", max_size=None, compression=None, **options)


def frame(number: int, *, runs=(0,), side: int = SIDE, seed: int = 0, colour: int = 0, **more) -> bytes:
    header = {"frame": number, "runs": list(runs), "seed": seed, "width": side, "height": side} | more
    return json.dumps(header).encode() + b"\n" + bytes([colour, 90, 160, 255]) * side * side


def parse_message(message: bytes):
    header, _, pixels = message.partition(b"\n")
    return json.loads(header), np.frombuffer(pixels, np.uint8)


def test_every_run_answers_with_the_number_of_the_frame(demo):
    with connect_to(demo) as page:
        page.send(frame(5, runs=(0, 1)))
        heads, pictures = zip(*(parse_message(page.recv(30)) for _ in range(2)), strict=True)
    assert [(head["frame"], head["run"]) for head in heads] == [(5, 0), (5, 1)]
    assert all(picture.shape == (SIDE * SIDE * 4,) for picture in pictures)
    assert all((picture.reshape(-1, 4)[:, 3] == 255).all() for picture in pictures)


def test_the_drawing_and_the_seed_decide_the_answer(demo):
    with connect_to(demo) as page:

        def answer(**options):
            page.send(frame(0, **options))
            return parse_message(page.recv(30))[1].tobytes()

        first = answer()
        assert answer() == first
        assert answer(colour=255) != first
        assert answer(seed=1) != first


def test_a_drawing_of_another_size_is_brought_to_the_size_of_the_training(demo):
    with connect_to(demo) as page:
        page.send(frame(0, side=40))
        head, pixels = parse_message(page.recv(30))
    assert (head["width"], head["height"], len(pixels)) == (SIDE, SIDE, SIDE * SIDE * 4)


def test_of_frames_that_wait_only_the_newest_is_translated(two_runs, monkeypatch):
    begun, go_on, arrived, shown = threading.Event(), threading.Event(), queue.Queue(), load_runs([two_runs[0]])

    def hold(self, drawing, seed):
        begun.set()
        assert go_on.wait(60)
        return drawing

    put = LatestMessage.put
    monkeypatch.setattr(LatestMessage, "put", lambda self, message: (put(self, message), arrived.put(message)))
    monkeypatch.setattr("pix2pix.web.demo.runs.LoadedRun.translate_drawing", hold)
    with serving(shown=shown, samples=False) as served, connect_to(served) as page:
        page.send(frame(0))
        assert begun.wait(60)
        for number in range(1, 30):
            page.send(frame(number, colour=number))
        for _ in range(30):
            arrived.get(timeout=60)
        go_on.set()
        for expected in (0, 29):
            head, pixels = parse_message(page.recv(60))
            assert head["frame"] == pixels[0] == expected  # the pixels that were sent with this number
        page.send(frame(30, colour=30))
        assert parse_message(page.recv(60))[0]["frame"] == 30  # and no other in between


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (frame(1, runs=(9,)), "numbered from 0"),
        (frame(1, runs=()), "at least 1"),
        (frame(1, colours=3), "extra"),
        (frame(1)[:-1], "bytes of pixels"),
        (frame(1, width=5000), "5000x32"),
        (frame(1, width=-1), "greater than"),
        (b'{"frame": 1}\n', "required"),
        (b"\x00\xff\n", "header"),
        (b"", "header"),
        (b"[" * 10_000 + b"\n", "header"),
        ("text", "header"),
    ],
)
def test_what_is_no_frame_is_answered_in_words_and_the_channel_stays_open(demo, message, words):
    with connect_to(demo) as page:
        page.send(message)
        assert words in json.loads(page.recv(30))["error"]
        page.send(frame(2))
        assert parse_message(page.recv(30))[0]["frame"] == 2


def test_a_message_larger_than_any_drawing_closes_the_channel(demo):
    with connect_to(demo) as page:
        page.send(bytes(4 * (2 * SIDE) ** 2 + 4097))
        with pytest.raises(ConnectionClosed) as closed:
            page.recv(30)
    assert closed.value.rcvd
    assert closed.value.rcvd.code == 1009


def test_a_page_from_elsewhere_cannot_open_it(demo):
    for options in ({"origin": "http://evil.example"}, {"additional_headers": {"Host": "evil.example"}}):
        with pytest.raises((InvalidStatus, ConnectionClosed)), connect_to(demo, **options) as page:
            page.recv(60)
    with connect_to(demo, origin=f"http://{demo.host}") as page:
        page.send(frame(0))
        page.recv(30)


def test_there_is_room_for_so_many_pages_and_a_place_is_free_again_when_one_goes(two_runs):
    with serving(two_runs[0], limits=Limits(pages=1), samples=False) as served:
        with connect_to(served) as first:
            first.send(frame(0))
            first.recv(30)
            assert served.ask("GET", "/health").json["pages"] == 1
            with connect_to(served) as second, pytest.raises(ConnectionClosed) as closed:
                second.recv(30)
            assert closed.value.rcvd
            assert closed.value.rcvd.code == 1013
        while served.ask("GET", "/health").json["pages"]:
            time.sleep(0.01)
        with connect_to(served) as third:
            third.send(frame(0))
            third.recv(30)


def test_a_page_stays_connected_for_longer_than_headers_may_take(two_runs, monkeypatch):
    monkeypatch.setattr("pix2pix.web.demo.serve.HEADER_SECONDS", 0.3)

    def stays_connected() -> bool:
        try:
            with connect_to(served) as page:
                time.sleep(0.6)
                page.send(frame(0))
                return parse_message(page.recv(60))[0]["frame"] == 0
        except (ConnectionClosed, InvalidMessage, OSError):  # a busy machine may also have sent the headers too late
            return False

    with serving(two_runs[0], samples=False) as served:
        until(stays_connected)


def test_a_page_that_goes_in_the_middle_of_its_answer_harms_nobody(demo):
    for _ in range(5):
        with connect_to(demo) as page:
            page.send(frame(0, runs=(0, 1)))
            page.socket.shutdown(socket.SHUT_RDWR)
    with connect_to(demo) as page:
        page.send(frame(0))
        assert parse_message(page.recv(30))[0]["frame"] == 0


def test_a_drawing_that_fails_leaves_the_channel_open(two_runs, monkeypatch):
    shown = load_runs([two_runs[0]])
    with serving(shown=shown, samples=False) as served, connect_to(served) as page:
        with monkeypatch.context() as patch:
            patch.setattr("pix2pix.web.demo.runs.LoadedRun.translate_drawing", lambda *_: 1 / 0)
            page.send(frame(3))
            answer = json.loads(page.recv(30))
        assert answer["frame"] == 3
        assert "ZeroDivisionError" in answer["error"]
        page.send(frame(4))
        assert parse_message(page.recv(30))[0]["frame"] == 4
