"""The garbage collector during imports and after them."""

import gc

import pytest

from pix2pix.core.garbage import USUAL, collect_as_usual, collect_seldom
from tests.conftest import TINY, pix2pix


@pytest.fixture(autouse=True)
def _usual_again():
    yield
    gc.set_threshold(*USUAL)


def test_the_usual_searches_follow_the_seldom_ones():
    collect_seldom()
    assert gc.get_threshold()[0] > USUAL[0]
    collect_as_usual()
    assert gc.get_threshold() == USUAL
    assert gc.get_freeze_count() > 0


def test_a_training_searches_as_usual(tmp_path):
    collect_seldom()
    pix2pix("train", *TINY, f"run_dir={tmp_path / 'run'}", "trainer.max_epochs=1")
    assert gc.get_threshold() == USUAL
