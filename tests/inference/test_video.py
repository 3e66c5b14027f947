"""Videos: the same frames at the same times, with their sound, calm and in constant memory."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from pix2pix import load_translator
from tests.conftest import pix2pix

av = pytest.importorskip("av")


def video(path, frames=8, size=(48, 32), sound=True, still=False, times=None):
    """Frames of a moving bar at 12.5 a second, with a tone."""
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=Fraction(25, 2))
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        tone = film.add_stream("aac", rate=44100, layout="mono") if sound else None
        for number in range(frames):
            picture = np.zeros((size[1], size[0], 3), np.uint8)
            left = 0 if still else 4 * number
            picture[:, left : left + 8] = 255
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if times:
                frame.pts, frame.time_base = times[number], Fraction(1, 1000)
            film.mux(stream.encode(frame))
        film.mux(stream.encode())
        if tone:
            wave = np.sin(np.arange(44100 * frames * 2 // 25) / 20).astype(np.float32)[None]
            samples = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            samples.sample_rate = 44100
            film.mux(tone.encode(samples))
            film.mux(tone.encode())
    return path


def pictures(path):
    with av.open(str(path)) as film:
        return [frame.to_ndarray(format="rgb24").astype(int) for frame in film.decode(video=0)]


def times(path):
    with av.open(str(path)) as film:
        return [round(float(frame.pts * frame.time_base), 3) for frame in film.decode(video=0)]


def sound(path):
    with av.open(str(path)) as film:
        return b"".join(bytes(packet) for packet in film.demux(audio=0) if packet.size)


def test_frames_times_and_sound_are_kept(tiny_run, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    film = video(tmp_path / "in" / "film.mp4")
    pix2pix("translate", tiny_run.path, tmp_path / "in", "-o", tmp_path / "out")
    result = tmp_path / "out" / "film.mp4"
    assert "1 pictures in" in capsys.readouterr().out
    assert [picture.shape for picture in pictures(result)] == [(32, 48, 3)] * 8
    assert times(result) == times(film)
    assert sound(result) == sound(film)
    with av.open(str(result)) as made, av.open(str(film)) as given:
        assert made.streams.video[0].average_rate == given.streams.video[0].average_rate


def test_uneven_times_and_odd_sizes_are_kept(tiny_run, tmp_path):
    film = video(tmp_path / "film.mkv", size=(46, 34), sound=False, times=[0, 40, 200, 210, 400, 500, 900, 1000])
    pix2pix("translate", tiny_run.path, film, "-o", tmp_path / "out")
    assert times(tmp_path / "out" / "film.mkv") == times(film)
    assert pictures(tmp_path / "out" / "film.mkv")[0].shape == (34, 46, 3)


def test_what_stands_still_does_not_flicker(tiny_run, tmp_path):
    film = video(tmp_path / "film.mp4", still=True, frames=6, sound=False)
    pix2pix("translate", tiny_run.path, film, "-o", tmp_path / "out")
    translator, frame = load_translator(tiny_run.path), pictures(film)[0].astype(np.uint8)
    other_noise = [translator(frame, name=name).astype(int) for name in ("a", "b")]
    assert change(pictures(tmp_path / "out" / "film.mp4")) < 0.5 * change(other_noise)


def change(frames) -> float:
    """How much a frame differs from the one before, on average."""
    return float(np.mean([np.abs(a - b).mean() for a, b in itertools.pairwise(frames)]))


def test_smoothing_calms(tiny_run, tmp_path):
    film = video(tmp_path / "film.mp4", sound=False)
    for share in (0.0, 0.8):
        pix2pix("translate", tiny_run.path, film, "-o", tmp_path / str(share), "--smooth", share)
    rough, calm = (change(pictures(tmp_path / share / "film.mp4")) for share in ("0.0", "0.8"))
    assert calm < 0.5 * rough


def test_a_broken_video_is_reported_and_leaves_nothing(tiny_run, tmp_path, caplog):
    whole = video(tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "broken.mp4").write_bytes(whole[: len(whole) // 3])
    with pytest.raises(SystemExit):
        pix2pix("translate", tiny_run.path, tmp_path / "broken.mp4", "-o", tmp_path / "out")
    assert "broken.mp4: cannot be read as a video" in caplog.text
    assert not list(tmp_path.glob("out/*"))
