"""By how much one film is later than another is found from both, or said not to be known."""

import re

import numpy as np
import pytest
from PIL import Image

from pix2pix.datasets.prepare.align_films import Curve, align, correlate_at_lags
from tests.conftest import pix2pix

av = pytest.importorskip("av")


def jumps(seed: int, seconds: int = 12) -> np.ndarray:
    """Where an object is in each tenth of a second: it rests and jumps at random."""
    random = np.random.default_rng(seed)
    return np.cumsum(random.integers(-9, 10, 10 * seconds) * (random.random(10 * seconds) < 0.4)) % 40


def write_film(path, places, *, rate=10, colours=("black", "white"), tones=None):
    """A square moves to the places, one for a tenth of a second; `tones` are the loudness of its sound."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 64, 48, "yuv420p", 2_000_000
        sound = container.add_stream("aac", rate=8000) if tones is not None else None
        for number in range(len(places) * rate // 10):
            place = int(places[number * 10 // rate])
            picture = Image.new("RGB", (64, 48), colours[0])
            picture.paste(colours[1], (place, 10, place + 20, 34))
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode())
        if sound is not None:
            wave = np.repeat(tones, 800) * np.sin(np.arange(800 * len(tones)) * 0.3)
            frame = av.AudioFrame.from_ndarray(wave[None].astype(np.float32), format="fltp", layout="mono")
            frame.sample_rate = 8000
            container.mux(sound.encode(frame))
            container.mux(sound.encode())
    return path


def prepare(capsys, *words):
    pix2pix("data", "prepare", "video", *words, "--val", "0")
    return capsys.readouterr().out


@pytest.mark.parametrize(("lag", "rate"), [(0, 10), (13, 10), (-21, 10), (13, 30)])
def test_the_offset_of_films_of_one_movement_is_found(tmp_path, capsys, lag, rate):
    places = jumps(0)
    first, second = places[max(lag, 0) :], places[max(-lag, 0) :]
    a = write_film(tmp_path / "a.mp4", first)
    b = write_film(tmp_path / "b.mp4", second, rate=rate, colours=("#335577", "#ffcc44"))
    said = prepare(capsys, a, b, "-o", tmp_path / "out")
    found = re.search(r"offset: (-?[\d.]+) s, found from the motion \(correlation [01]\.\d+", said)
    assert found, said
    assert float(found[1]) == pytest.approx(lag / 10, abs=0.07)


def test_an_offset_that_is_given_is_taken(tmp_path, capsys):
    places = jumps(0)
    films = [write_film(tmp_path / f"{name}.mp4", part) for name, part in (("a", places[13:]), ("b", places))]
    said = prepare(capsys, *films, "-o", tmp_path / "out", "--offset", "0.5")
    assert "offset: 0.5 s, as given." in said


def test_films_that_have_nothing_in_common_are_paired_from_their_beginnings_and_that_is_said(tmp_path, capsys):
    films = [write_film(tmp_path / f"{seed}.mp4", jumps(seed)) for seed in (1, 2)]
    said = prepare(capsys, *films, "-o", tmp_path / "out")
    assert "offset: 0 s. The films' motion does not tell another (correlation 0." in said
    still = [write_film(tmp_path / f"still{number}.mp4", np.zeros(40)) for number in range(2)]
    said = prepare(capsys, *still, "-o", tmp_path / "still")
    assert "offset: 0 s. The films have too little motion or time to compare" in said


def test_a_movement_that_repeats_itself_fits_at_many_offsets_so_none_is_taken(tmp_path, capsys):
    places = np.tile(jumps(3, 2), 6)
    films = [write_film(tmp_path / f"{name}.mp4", part) for name, part in (("a", places[7:]), ("b", places))]
    assert "offset: 0 s. The films' motion does not tell" in prepare(capsys, *films, "-o", tmp_path / "out")


def test_sound_tells_where_nothing_moves(tmp_path, capsys):
    loudness = np.random.default_rng(5).random(120).astype(np.float32) ** 3
    a = write_film(tmp_path / "a.mp4", np.zeros(100), tones=loudness[16:116])
    b = write_film(tmp_path / "b.mp4", np.zeros(116), tones=loudness[:116])
    said = prepare(capsys, a, b, "-o", tmp_path / "out")
    found = re.search(r"offset: (-?[\d.]+) s, found from the sound", said)
    assert found, said
    assert float(found[1]) == pytest.approx(1.6, abs=0.07)


def test_correlations_are_those_of_the_parts_that_overlap():
    random = np.random.default_rng(0)
    a, b = random.random(30), random.random(25)
    lags, correlations = correlate_at_lags(a, b, 10)
    assert (lags.min(), lags.max()) == (-20, 15)
    for lag, correlation in zip(lags, correlations, strict=True):
        start, end = max(0, -lag), min(len(a), len(b) - lag)
        assert correlation == pytest.approx(np.corrcoef(a[start:end], b[start + lag : end + lag])[0, 1])


def test_the_surer_of_sound_and_motion_decides():
    random = np.random.default_rng(1)
    times, noise = np.arange(500) * 0.02, [random.random(500) for _ in range(2)]
    sound = random.random(600)
    a = [Curve("motion", times, noise[0]), Curve("sound", times, sound[50:550])]
    b = [Curve("motion", times, noise[1]), Curve("sound", times, sound[:500])]
    found = align(a, b)
    assert (found.kind, found.is_sure) == ("sound", True)
    assert found.offset == pytest.approx(1.0, abs=0.021)
