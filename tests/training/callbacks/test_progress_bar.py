"""Progress without a terminal: lines of the same numbers as the bar's, within an epoch and after it."""

import io
import re

import pytest

from pix2pix.training.callbacks.progress_bar import ProgressBar, format_losses
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


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_at_80_columns_the_bar_and_the_losses_of_both_networks_are_seen(tmp_path, monkeypatch):
    terminal = Terminal()
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    monkeypatch.setattr("sys.stderr", terminal)
    pix2pix("train", *TINY, f"output_dir={tmp_path}", "name=run", "trainer.max_epochs=1")
    drawn = [line for line in re.split(r"[\r\n]", terminal.getvalue()) if line.startswith("epoch ") and "G" in line]
    loss = r"\S+"
    pattern = rf"epoch 1/1:? +\S.{{7,}} \d/6  \d\d:\d\d left │ D {loss} {loss}  G {loss}  L1 {loss} *"
    assert all(re.fullmatch(pattern, line) for line in drawn), drawn
    assert max(map(len, drawn)) <= 80


def test_losses_are_short():
    losses = {"d_fake": 0.184, "d_real": 0.2, "g_gan": 2.05, "g_l1": 0.3251, "g_perceptual": 33.4}
    assert format_losses(losses) == "D .18 .2  G 2  L1 .33  perceptual 33"
    assert format_losses({"g_l1": 0.0001}) == "L1 .0001"
