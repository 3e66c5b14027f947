"""The garbage collector during imports and after them."""

import gc

from pix2pix.core.garbage import collect_as_usual, collect_seldom
from tests.conftest import TINY, pix2pix


def test_the_usual_searches_follow_the_seldom_ones():
    usual = gc.get_threshold()
    collect_seldom()
    assert gc.get_threshold()[0] > usual[0]
    collect_as_usual()
    assert gc.get_threshold() == usual


def test_a_training_searches_as_usual(tmp_path):
    usual = gc.get_threshold()
    collect_seldom()
    pix2pix("train", *TINY, f"run_dir={tmp_path / 'run'}", "trainer.max_epochs=1")
    assert gc.get_threshold() == usual
