"""Runs, checkpoints and exported files of version 0.1.0 still serve. Made by commit 8fb8244, see tests/earlier."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from pix2pix import load_translator
from pix2pix.runs.run import Run
from tests.conftest import TINY, pix2pix, weights

EARLIER = Path(__file__).parents[1] / "earlier"
WORDS = [
    *(word for word in TINY if "base_channels" not in word and "max_epochs" not in word),
    *("generator.base_channels=2", "discriminator.base_channels=2", "trainer=cpu"),
]


@pytest.fixture
def earlier(tmp_path):
    """A copy of both runs, where a test may write."""
    shutil.copytree(EARLIER, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.mark.parametrize("name", ["finished", "finished/checkpoints/last.ckpt", "finished.safetensors"])
def test_an_earlier_generator_translates(earlier, name):
    picture = load_translator(earlier / name)(Image.new("RGB", (32, 32)))
    assert picture.size == (32, 32)


def test_an_earlier_run_is_evaluated_and_compared(earlier):
    pix2pix("evaluate", earlier / "finished")
    pix2pix("compare", earlier / "finished", earlier / "stopped", "--output", earlier / "comparison.html")
    assert json.loads((earlier / "finished/evaluation/val/metrics.json").read_text())["pairs"] == 3
    assert "finished" in (earlier / "comparison.html").read_text()


def test_an_earlier_run_that_was_stopped_goes_on_and_ends_with_the_weights_of_an_unbroken_one(earlier):
    words = [*WORDS, f"output_dir={earlier}", "trainer.max_epochs=4", "callbacks.samples.every_n_epochs=60"]
    pix2pix("train", *words, "name=stopped")
    pix2pix("train", *words, "name=new")
    assert Run(earlier / "stopped").is_finished()
    # The first half was computed on another machine, whose sums round differently (2e-8 on one that was tried), so that
    # bits may differ here. The weights themselves move by 2e-4 a step.
    resumed, unbroken = (weights(Run(earlier / name)) for name in ("stopped", "new"))
    for name, weight in unbroken.items():
        torch.testing.assert_close(resumed[name], weight, rtol=0, atol=1e-6)


def test_an_earlier_run_that_is_finished_is_known_to_be(earlier, capsys):
    pix2pix("train", *WORDS, f"output_dir={earlier}", "trainer.max_epochs=2", "name=finished")
    assert "is finished; nothing to do" in capsys.readouterr().out
