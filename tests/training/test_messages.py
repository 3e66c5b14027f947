"""What a training says of its data before it begins."""

import logging

import numpy as np
import pytest
from PIL import Image

from pix2pix.data.sources.folder import PairFolder
from pix2pix.training.messages import advise_on_class_numbers
from tests.conftest import make_config


def masks(folder, highest: int, letter: str = "B"):
    """Photos, and masks of the values 0 to `highest`, of which a third is 255 where there are more than two."""
    random = np.random.default_rng(0)
    for number in range(4):
        for name in "AB":
            (folder / f"train{name}").mkdir(parents=True, exist_ok=True)
            pixels = random.integers(0, 256, (32, 32, 3), np.uint8)
            if name == letter:
                pixels = random.integers(0, highest + 1, (32, 32), np.uint8)
                pixels[:10] = 255 if highest > 1 else 0
            Image.fromarray(pixels).save(folder / f"train{name}" / f"{number}.png")
    return folder


def warnings(caplog) -> list[str]:
    return [record.message for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("highest", [1, 18])
@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
@pytest.mark.parametrize("channels", [1, 3])
def test_masks_that_are_read_as_pictures_are_told_with_the_settings(tmp_path, caplog, highest, direction, channels):
    image = "target" if direction == "AtoB" else "source"
    folder = masks(tmp_path / "pairs", highest)
    config = make_config(
        "data=folder", f"data.path={folder}", f"data.direction={direction}", f"data.{image}_channels={channels}"
    )
    pairs = PairFolder(str(folder), direction=direction, **{f"{image}_channels": channels}).split("train")
    advise_on_class_numbers(pairs, config.data)
    (told,) = warnings(caplog)
    assert f"The files of B hold no other numbers than 0 to {highest}, so they look black" in told
    assert f"data.label_map=B data.palette={highest + 1}" in told
    assert f"data.{image}_range=[0,{highest}]" in told


@pytest.mark.parametrize("settings", [["data.label_map=B", "data.palette=2"], ["data.target_range=[0,1]"]])
def test_nothing_is_told_of_masks_that_are_read_as_what_they_are(tmp_path, caplog, settings):
    folder = masks(tmp_path / "pairs", 1)
    config = make_config("data=folder", f"data.path={folder}", *settings)
    advise_on_class_numbers(PairFolder(str(folder)).split("train"), config.data)
    assert not warnings(caplog)


def test_an_unreadable_pair_among_the_samples_is_left_to_the_training(tmp_path, caplog):
    folder = masks(tmp_path / "pairs", 1)
    (folder / "trainA" / "1.png").write_bytes(b"no picture")
    advise_on_class_numbers(
        PairFolder(str(folder)).split("train"), make_config("data=folder", f"data.path={folder}").data
    )
    assert len(warnings(caplog)) == 1
