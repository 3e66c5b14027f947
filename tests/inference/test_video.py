"""Videos: the same frames at the same times, with their sound, calm and in constant memory."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image

from pix2pix import load_translator
from pix2pix.data.sources.derivations import derive_input
from pix2pix.inference.motion import Flicker, MotionSmoother
from tests.conftest import TINY_FOLDER, pix2pix

av = pytest.importorskip("av")


def video(path, frames=8, size=(48, 32), sound=True, still=False, times=None, texture=None):
    """Frames of a moving bar at 12.5 a second, with a tone."""
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=Fraction(25, 2))
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        tone = film.add_stream("aac", rate=44100, layout="mono") if sound else None
        for number in range(frames):
            picture = np.zeros((size[1], size[0], 3), np.uint8)
            left = 0 if still else 4 * number
            picture[:, left : left + 8] = 255
            if texture is not None:
                picture = texture[:, 3 * number : 3 * number + size[0]].copy()
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
    output = capsys.readouterr().out
    assert "1 video in" in output
    assert "film.mp4: 8 frames; consecutive ones differ by" in output
    assert "flicker" in output
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
    blocks = np.random.default_rng(0).integers(0, 256, (10, 20, 3), np.uint8)
    texture = np.asarray(Image.fromarray(blocks).resize((192, 96), Image.Resampling.BICUBIC))
    film = video(tmp_path / "film.mp4", size=(128, 96), sound=False, texture=texture)
    for share in (0.0, 0.8):
        pix2pix("translate", tiny_run.path, film, "-o", tmp_path / str(share), "--smooth", share, "--scale", "own")
    rough, calm = (along(pictures(tmp_path / share / "film.mp4")) for share in ("0.0", "0.8"))
    assert calm < 0.75 * rough


def along(frames) -> float:
    """How much a frame differs from the one before, moved by the 3 pixels that the film moves, on average."""
    return float(np.mean([np.abs(a[:, 3:] - b[:, :-3]).mean() for a, b in itertools.pairwise(frames)]))


def test_a_broken_video_is_reported_and_leaves_nothing(tiny_run, tmp_path, caplog):
    whole = video(tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "broken.mp4").write_bytes(whole[: len(whole) // 3])
    with pytest.raises(SystemExit):
        pix2pix("translate", tiny_run.path, tmp_path / "broken.mp4", "-o", tmp_path / "out")
    assert "broken.mp4: cannot be read as a video" in caplog.text
    assert not list(tmp_path.glob("out/[!.]*"))


def test_smoothing_follows_the_motion_and_leaves_no_trail():
    random = np.random.default_rng(0)
    texture = np.asarray(Image.fromarray(random.integers(0, 256, (16, 40, 3), np.uint8)).resize((320, 128)), np.float32)
    clean = [texture[:, 3 * number : 3 * number + 128] for number in range(12)]
    noisy = [frame + random.normal(0, 20, frame.shape).astype(np.float32) for frame in clean]
    smoother = MotionSmoother(0.7)
    smooth = [smoother.smooth(frame, output) for frame, output in zip(clean, noisy, strict=True)]
    mixed = list(itertools.accumulate(noisy, lambda mixture, frame: 0.7 * mixture + 0.3 * frame))
    rough, along, plain = (np.abs(np.array(each[4:]) - clean[4:]).mean() for each in (noisy, smooth, mixed))
    assert along < 0.6 * rough
    assert along < 0.6 * plain


def test_what_the_motion_uncovers_is_not_mixed_with_what_was_there():
    smoother = MotionSmoother(0.9)
    black, white = np.zeros((64, 64, 3), np.float32), np.full((64, 64, 3), 255, np.float32)
    smoother.smooth(black, black)
    assert np.abs(smoother.smooth(white, white) - white).max() < 1


def test_flicker_is_the_change_of_outputs_beyond_that_of_inputs():
    flicker = Flicker()
    for number in range(3):
        flicker.add(np.full((4, 4, 3), 2.0 * number), np.full((4, 4, 3), 5.0 * number))
    assert str(flicker).endswith("differ by 5.0 of 255 levels, those of the input by 2.0: flicker 3.0")


def test_the_frames_of_a_film_become_the_edges_that_a_run_was_trained_on(tmp_path):
    pytest.importorskip("cv2")
    (tmp_path / "photos").mkdir()
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 256, (4, 4, 3), np.uint8)
        photo = Image.fromarray(pixels).resize((32, 32), Image.Resampling.NEAREST)
        photo.save(tmp_path / "photos" / f"{number}.png")
    words = [*TINY_FOLDER[1:], "data=derived", "data.operation=edges", f"data.path={tmp_path}/photos"]
    pix2pix("train", *words, "trainer.max_epochs=1", f"output_dir={tmp_path}", "name=run")
    film = video(tmp_path / "film.mkv", frames=4, size=(64, 32), sound=False)
    with av.open(str(film)) as opened:
        frames = [frame.to_image() for frame in opened.decode(video=0)]
    for words in ([], ["--no-derive"]):
        pix2pix("translate", tmp_path / "run", film, "-o", tmp_path / "out", *words)
        translator = load_translator(tmp_path / "run", derive=not words)
        expected = [np.asarray(translator(frame, name="film"), int) for frame in frames]
        found = pictures(tmp_path / "out" / "film.mkv")
        assert len(found) == len(expected) == 4
        for frame, wanted in zip(found, expected, strict=True):
            assert np.abs(frame - wanted).mean() < 12  # what compression costs
    photo = torch.from_numpy(np.asarray(frames[0]).copy()).movedim(-1, 0)
    edges = derive_input(photo, "film", "edges", None)[0].numpy()
    by_hand = load_translator(tmp_path / "run")(edges, name="film", derive=False, scale="own")
    as_film = load_translator(tmp_path / "run")(frames[0], name="film")
    assert np.array_equal(np.asarray(as_film), np.asarray(by_hand))
