"""Progress without a terminal: lines of the same numbers as the bar's, within an epoch and after it."""

import re

import pytest

from pix2pix.training.callbacks.progress_bar import ProgressBar
from tests.conftest import TINY, pix2pix
from tests.small import fit, module

ALWAYS = 1e-9  # seconds: a line is due at every step


def lines(capsys) -> list[str]:
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith("epoch ")]


def test_a_line_says_epoch_step_time_left_speed_and_losses(capsys):
    fit(module(), ProgressBar(every_n_seconds=ALWAYS), pairs=3, max_epochs=2)
    number = r"\d+\.\d+"
    output = lines(capsys)
    assert [line.split("  ")[:2] for line in output if "val/" not in line] == [
        [f"epoch {1 + step // 4}/2", f"step {step}/6"] for step in range(1, 7)
    ]
    assert all(re.search(rf"/6  \d\d:\d\d left  {number} img/s  g_l1 {number}", line) for line in output)
    assert "  00:00 left  " in output[-1]


@pytest.mark.parametrize("seconds", [None, 3600])
def test_a_short_epoch_has_one_line_with_its_validation(capsys, seconds):
    fit(module(), ProgressBar(every_n_seconds=seconds), pairs=3, max_epochs=2)
    output = lines(capsys)
    assert [line.split("  ")[1] for line in output] == ["step 3/6", "step 6/6"]
    assert all("val/l1" in line for line in output)


def test_a_training_without_an_end_has_no_time_left(capsys):
    fit(module(), ProgressBar(every_n_seconds=ALWAYS), pairs=2, max_epochs=-1, max_time={"seconds": 0.2})
    output = lines(capsys)
    assert output[0].startswith("epoch 1  step 1  ")
    assert all(" left" not in line for line in output)


def test_a_resumed_training_counts_on_to_the_end_of_the_run(tmp_path, capsys):
    words = ["train", *TINY, f"output_dir={tmp_path}", "name=run", f"callbacks.progress.every_n_seconds={ALWAYS}"]
    pix2pix(*words, "trainer.max_epochs=1")
    assert "step 6/6" in lines(capsys)[-1]
    pix2pix(*words)
    assert [line.split("  ")[1] for line in lines(capsys)][:2] == ["step 7/12", "step 8/12"]
