"""A thousand bad bodies: each gets an answer of its own, none a crash, and memory stays where it was."""

import io
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.web.demo.conftest import picture, serving
from tests.web.demo.test_app import png

MEGABYTES = 40  # that the process may grow by: allocators keep pages, a leak of every body would be ten times that


def resident() -> float:
    """Megabytes that this process holds."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def whole(random: np.random.Generator) -> bytes:
    """A picture in some format."""
    kind = random.choice(["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "ICO"])
    return picture(
        int(random.integers(1, 60)), int(random.integers(1, 60)), kind=str(kind), seed=int(random.integers(9))
    )


def flip_bytes(random: np.random.Generator) -> bytes:
    """A picture with some of its bytes changed, most of them in its headers."""
    body = bytearray(whole(random))
    for _ in range(random.integers(1, 20)):
        reach = len(body) if random.random() < 0.3 else min(len(body), 64)
        body[random.integers(reach)] = random.integers(256)
    return bytes(body)


def cut(random: np.random.Generator) -> bytes:
    """The beginning of a picture."""
    body = whole(random)
    return body[: random.integers(len(body))] or b"\x89"


def noise(random: np.random.Generator) -> bytes:
    """Bytes, at times behind the first ones of a format."""
    magic = random.choice([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"RIFF\0\0\0\0WEBPVP8 ", b"BM", b"GIF89a"])
    return magic + random.bytes(random.integers(1, 3000))


def liar(random: np.random.Generator) -> bytes:
    """A PNG of a claimed size that holds other pixels than these, or megabytes of nothing in a few hundred bytes."""
    width, height = (int(2 ** random.uniform(0, 31)) for _ in range(2))
    return png(width, height, pixels=bytes(int(2 ** random.uniform(0, 23))))


def wordy(random: np.random.Generator) -> bytes:
    """A PNG whose compressed text unpacks to many megabytes."""
    text = b"zTXtw\0\0" + zlib.compress(bytes(int(2 ** random.uniform(20, 26))), 9)
    whole_png = picture()
    chunk = (len(text) - 4).to_bytes(4, "big") + text + zlib.crc32(text).to_bytes(4, "big")
    return whole_png[:33] + chunk + whole_png[33:]


def too_long(random: np.random.Generator) -> bytes:
    """A picture with megabytes behind it."""
    return whole(random) + bytes(int(random.integers(7 * 2**20, 9 * 2**20)))


KINDS = [flip_bytes] * 8 + [cut] * 5 + [noise] * 5 + [liar] * 3 + [wordy, too_long]


def send(served, count: int) -> Counter:
    """Sends `count` bodies, the same every time, and counts what was answered."""
    random, seen = np.random.default_rng(0), Counter()
    for _ in range(count):
        body = KINDS[random.integers(len(KINDS))](random)
        try:
            answer = served.translate(body)
        except ConnectionError:  # refused by its length, before all of it was sent
            assert len(body) > 8 * 2**20
            continue
        assert answer.status in {200, 400, 413, 415}, (answer.status, body[:80])
        assert answer.status == 200 or answer.json["error"]
        seen[answer.status] += 1
    return seen


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory as Linux tells it")
def test_a_thousand_bad_bodies_get_answers_and_leave_nothing_behind(two_runs):
    with serving(two_runs[0], samples=False) as served:
        first = send(served, 350)
        assert send(served, 350) == first
        before = resident()  # buffers are now as large as these bodies make them: once more must cost nothing
        assert send(served, 350) == first
        assert resident() - before < MEGABYTES
        assert served.ask("GET", "/health").json == {"status": "ok", "runs": 1, "requests": 0, "pages": 0}
        assert served.translate(picture()).status == 200
    assert min(first[status] for status in (400, 413, 415)) > 20, first


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "F"])
def test_pictures_of_every_mode_are_translated(demo, mode):
    file = io.BytesIO()
    Image.new("L", (32, 32), 9).convert(mode).save(file, {"CMYK": "JPEG", "F": "TIFF"}.get(mode, "PNG"))
    assert demo.translate(file.getvalue()).status == (415 if mode == "F" else 200)
