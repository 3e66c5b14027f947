"""The live channel: the newest drawing wins, every answer has its number, nothing that is sent can end it."""

import json
import socket
import time

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from pix2pix.web.demo.limits import Limits
from pix2pix.web.demo.runs import load_runs
from tests.web.demo.conftest import serving

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
    translate = "pix2pix.web.demo.runs.LoadedRun.translate_drawing"
    monkeypatch.setattr(translate, lambda self, drawing, seed: (time.sleep(0.1), drawing)[1])
    with serving(two_runs[0], samples=False) as served, connect_to(served) as page:
        for number in range(30):
            page.send(frame(number, colour=number))
            time.sleep(0.01)
        answered = []
        while not answered or answered[-1] != 29:
            head, pixels = parse_message(page.recv(30))
            assert pixels[0] == head["frame"]  # the pixels that were sent with this number
            answered.append(head["frame"])
    assert answered == sorted(set(answered))
    assert 3 <= len(answered) <= 10  # about 0.4 seconds of drawing at ten a second


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
            page.recv(5)
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
