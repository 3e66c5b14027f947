"""Frames of films become pairs, in blocks of time with a seam between them."""

import numpy as np
import pytest
from PIL import Image

from pix2pix.datasets.prepare.video_frames import _assign_splits
from tests.conftest import pix2pix

av = pytest.importorskip("av")


def write_film(path, rate=10, seconds=3, size=(64, 48)):
    """So many seconds; each frame is as bright as its time says, 80 levels a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        (stream.width, stream.height), stream.pix_fmt, stream.bit_rate = size, "yuv420p", 2_000_000
        for number in range(rate * seconds):
            level = number * 80 // rate
            pixels = np.full((size[1], size[0], 3), level, np.uint8)
            pixels[10:20, number : number + 10] = 255 - level
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture
def film(tmp_path):
    """Three seconds at ten frames a second; each frame is as bright as its number says."""
    return write_film(tmp_path / "a film.mp4")


def test_frames_become_pairs_and_a_second_is_left_out_at_the_seam(tmp_path, film, capsys):
    words = ["--operation", "edges", "--val", "0.2", "--size", "32"]
    pix2pix("data", "prepare", "video", film, "-o", tmp_path / "out", *words)
    assert "14 train, 6 val" in capsys.readouterr().out
    assert sorted(f.name for f in (tmp_path / "out" / "val").iterdir()) == [
        f"a-film_{n:06d}.png" for n in range(24, 30)
    ]
    with Image.open(tmp_path / "out" / "train" / "a-film_000010.png") as both:
        assert both.size == (64, 32)
        assert both.getpixel((40, 30))[0] == pytest.approx(80, abs=8)
    assert not (tmp_path / "out" / ".frames").exists()


def test_every_so_many_frames(tmp_path, film, capsys):
    pix2pix(
        "data", "prepare", "video", film, "-o", tmp_path / "out", "--operation", "blur", "--every", "5", "--dry-run"
    )
    assert "3 train, 1 val would be written" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_a_broken_film_and_no_film_are_named(tmp_path):
    (tmp_path / "x.mp4").write_bytes(b"no film")
    for name, message in (("x.mp4", "cannot be read as a film"), ("gone.mp4", "no film")):
        with pytest.raises(SystemExit, match=message):
            pix2pix("data", "prepare", "video", tmp_path / name, "-o", tmp_path / "out", "--operation", "blur")


def test_two_films_of_one_name_are_refused(tmp_path, film):
    with pytest.raises(SystemExit, match="two of one name"):
        pix2pix("data", "prepare", "video", film, film, "-o", tmp_path / "out", "--operation", "blur")


def test_blocks_of_time():
    assert _assign_splits(10, {"val": 0.2, "test": 0.1}, 1) == [*["train"] * 5, None, "val", "val", None, "test"]
    with pytest.raises(ValueError, match="too short"):
        _assign_splits(3, {"val": 0.3, "test": 0.3}, 1)


@pytest.mark.parametrize(("offset", "first", "pairs"), [(0.0, 0, 30), (0.5, 0, 25), (-1.0, 10, 20)])
def test_two_films_become_pairs_frame_by_frame_at_the_same_time(tmp_path, film, capsys, offset, first, pairs):
    other = write_film(tmp_path / "other.mp4", rate=25)
    words = ["--offset", str(offset), "--val", "0", "--size", "32"]
    pix2pix("data", "prepare", "video", film, other, "-o", tmp_path / "out", *words)
    output = capsys.readouterr().out
    assert f"{pairs} train" in output
    assert "data.direction=BtoA" not in output
    files = sorted((tmp_path / "out" / "train").iterdir())
    assert [file.name for file in files] == [f"a-film_{number:06d}.png" for number in range(first, first + pairs)]
    for number, file in enumerate(files, start=first):
        with Image.open(file) as both:
            a, b = (both.getpixel((x, 30))[0] for x in (8, 40))
        assert a == pytest.approx(8 * number, abs=6)
        assert b == pytest.approx(8 * number + 80 * offset, abs=8)


def test_films_that_cannot_be_paired_are_refused(tmp_path, film):
    large = write_film(tmp_path / "large.mp4", size=(96, 80))
    for words, message in {
        (film,): "1 videos without --operation. Give two",
        (film, large): "64x48 and 96x80 pixels. Set --size",
        (film, large, "--size", "32", "--offset", "9"): r"have no time in common with --offset 9",
    }.items():
        with pytest.raises(SystemExit, match=message):
            pix2pix("data", "prepare", "video", *words, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_another_offset_is_another_preparation(tmp_path, film):
    other = write_film(tmp_path / "other.mp4", rate=25)
    words = ["data", "prepare", "video", film, other, "-o", tmp_path / "out", "--val", "0"]
    pix2pix(*words, "--offset", "0.3")
    pix2pix(*words, "--offset", "0.3")
    with pytest.raises(SystemExit, match="another"):
        pix2pix(*words, "--offset", "0.34")
