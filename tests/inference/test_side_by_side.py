"""Files that are pairs side by side among those to translate: noticed, and halved when asked."""

import numpy as np
import pytest
from PIL import Image

from pix2pix.data.images.decode import open_picture
from pix2pix.inference.file_jobs import TranslationJob
from pix2pix.inference.side_by_side import take_input_half, warn_of_pairs
from tests.conftest import make_config, pix2pix


def pixels(width: int, height: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def read(file) -> np.ndarray:
    with Image.open(file) as image:
        return np.asarray(image).astype(int)


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_the_input_half_is_a_or_b_as_the_direction_says(tmp_path, direction):
    both = pixels(20, 8)
    Image.fromarray(both).save(tmp_path / "1.png")
    data = make_config("data=folder", "data.path=x", f"data.direction={direction}").data
    half = np.asarray(take_input_half(data, open_picture(tmp_path / "1.png"), tmp_path / "1.png"))
    assert np.array_equal(half, both[:, :10] if direction == "AtoB" else both[:, 10:])


def test_pairs_side_by_side_are_translated_as_their_inputs_alone_are(tiny_run, tmp_path, caplog):
    both = pixels(64, 32)
    for folder, part in (("pairs", both), ("inputs", both[:, 32:])):  # the run goes from B to A
        (tmp_path / folder).mkdir()
        Image.fromarray(part).save(tmp_path / folder / "1.png")
    pix2pix("translate", tiny_run.path, tmp_path / "pairs", "-o", tmp_path / "halves", "--side-by-side")
    assert "twice as wide" not in caplog.text
    pix2pix("translate", tiny_run.path, tmp_path / "inputs", "-o", tmp_path / "alone")
    assert "twice as wide" not in caplog.text
    assert np.array_equal(read(tmp_path / "halves" / "1.png"), read(tmp_path / "alone" / "1.png"))
    pix2pix("translate", tiny_run.path, tmp_path / "pairs", "-o", tmp_path / "whole")
    assert "pairs/1.png: twice as wide as the pictures that the run was trained on (32x32)" in caplog.text
    assert "--side-by-side translates the input half of each" in caplog.text


def test_a_file_that_cannot_be_halved_is_named_and_stops_no_other(tiny_run, tmp_path, caplog):
    (tmp_path / "in").mkdir()
    Image.fromarray(pixels(63, 32)).save(tmp_path / "in" / "odd.png")
    Image.fromarray(pixels(64, 32)).save(tmp_path / "in" / "even.png")
    with pytest.raises(SystemExit):
        pix2pix("translate", tiny_run.path, tmp_path / "in", "-o", tmp_path / "out", "--side-by-side")
    assert "odd.png" in caplog.text
    assert [file.name for file in (tmp_path / "out").glob("*.png")] == ["even.png"]


def test_a_few_wide_pictures_among_others_are_no_pairs(tmp_path, caplog):
    files = [tmp_path / f"{number}.png" for number in range(4)]
    for number, file in enumerate(files):
        Image.fromarray(pixels(64 if number < 2 else 32, 32)).save(file)
    data = make_config("data=folder", "data.path=x", "data.size=32").data
    jobs = [TranslationJob(file, ()) for file in files]
    warn_of_pairs(data, jobs)
    assert not caplog.text
    warn_of_pairs(data, jobs[:3])
    assert "as are 2 of 3 files viewed" in caplog.text
