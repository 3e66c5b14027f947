"""A training beside another one lets its threads give way; alone, or as the user has set it, it does not."""

import subprocess
import sys

import pytest

from pix2pix.core import spinning

ASK = "from pix2pix.core.spinning import *; spin_less_beside_trainings(); print(spins_less())"


def ask(**environment: str) -> str:
    """What a fresh process decides."""
    asked = subprocess.run([sys.executable, "-c", ASK], check=True, env=environment, stdout=subprocess.PIPE, text=True)
    return asked.stdout.strip()


def test_another_training_is_seen_and_what_the_user_has_set_stays():
    waiting = [sys.executable, "-c", "input()", "pix2pix", "train", "seed=1"]
    with subprocess.Popen(waiting, stdin=subprocess.PIPE) as other:
        try:
            assert ask() == "True"
            assert ask(OMP_WAIT_POLICY="ACTIVE") == ask(OMP_NUM_THREADS="1") == ask(GOMP_SPINCOUNT="7") == "False"
        finally:
            other.kill()


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["/opt/venv/bin/python", "/opt/venv/bin/pix2pix", "train", "experiment=facades"], True),
        (["python", "-m", "pix2pix.cli", "train"], True),
        (["python", "-m", "pix2pix", "train"], True),
        (["pix2pix", "evaluate", "train"], False),
        (["vim", "pix2pix", "train.py"], False),
        (["sh", "-c", "pix2pix train"], False),
        ([], False),
    ],
    ids=str,
)
def test_a_training_is_known_by_its_words(command, expected):
    assert spinning._is_training(command) is expected
