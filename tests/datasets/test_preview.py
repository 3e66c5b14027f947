"""`pix2pix data preview`: a sheet of what the network will see."""

import numpy as np
import pytest
from PIL import Image

from pix2pix.data.images.pictures import GAP
from tests.conftest import pix2pix

SMALL = ["data.size=128", "data.jitter=false", "data.source.train_pairs=6"]


def sheet_of(path, *words: str) -> np.ndarray:
    pix2pix("data", "preview", *SMALL, *words, "-o", path)
    with Image.open(path) as sheet:
        return np.asarray(sheet.convert("RGB"))


def cell(sheet: np.ndarray, row: int, column: int) -> np.ndarray:
    top, left = 20 + row * (128 + GAP), GAP + column * (128 + GAP)
    return sheet[top : top + 128, left : left + 128]


def test_twenty_views_of_five_pairs_stand_beside_the_plain_pair(tmp_path, capsys):
    sheet = sheet_of(tmp_path / "a.png", "data.mirror=false")
    assert sheet.shape == (20 + 5 * (128 + GAP), 10 * (128 + GAP) + GAP, 3)
    assert str(tmp_path / "a.png") in capsys.readouterr().out
    for column in range(2, 10):  # nothing is drawn, so every view is the plain pair
        assert np.array_equal(cell(sheet, 2, column), cell(sheet, 2, column % 2))


def test_what_is_drawn_is_seen_and_the_same_every_time(tmp_path):
    sheet = sheet_of(tmp_path / "a.png", "data.augment.rotation=10", "data.one_hot=true")
    assert not np.array_equal(cell(sheet, 0, 2), cell(sheet, 0, 0))
    assert not np.array_equal(cell(sheet, 0, 2), cell(sheet, 0, 4))
    assert np.array_equal(sheet, sheet_of(tmp_path / "b.png", "data.augment.rotation=10", "data.one_hot=true"))


def test_a_configuration_that_cannot_be_run_is_refused_and_nothing_is_drawn(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"data\.augment\.rotation=-1: Input should be greater than or equal to 0"):
        pix2pix("data", "preview", "data.augment.rotation=-1")
    assert not list(tmp_path.iterdir())
