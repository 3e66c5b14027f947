"""After Ctrl-C a command says what it has left and how to go on, where click says only `Aborted!`."""

import signal

import pytest
from PIL import Image

from pix2pix.cli.interruption import describe_interruption
from pix2pix.inference.translator import Translator
from tests.conftest import pix2pix


@pytest.mark.parametrize(
    ("words", "left", "next_line"),
    [
        (["evaluate", "my run"], "an earlier one is as it was", "Start again with: pix2pix evaluate 'my run'"),
        (["compare", "s"], "The evaluations that had ended are kept; the page is not", "Go on with: pix2pix compare s"),
        (["data", "download", "maps"], "What has arrived is kept.", "Go on with: pix2pix data download maps"),
        (["data", "prepare", "pairs", "a"], "is whole.", "Go on with: pix2pix data prepare pairs a"),
        (["data", "check", "a"], "Interrupted.", "Start again with: pix2pix data check a"),
        (["export", "r"], "The export is not written", "Start again with: pix2pix export r"),
        (["models", "download", "x"], "What has arrived is kept.", "Go on with: pix2pix models download x"),
        (["push", "r", "u/n"], "only once all its files are there", "Start again with: pix2pix push r u/n"),
        (["translate", "r", "--skip-existing"], "", "Go on with: pix2pix translate r --skip-existing"),
    ],
)
def test_what_is_left_and_how_to_go_on(words, left, next_line):
    first, second = describe_interruption(words, "").splitlines()
    assert left in first
    assert second == next_line


def test_an_interrupted_translation_counts_its_results_and_is_continued(tiny_run, tmp_path, monkeypatch, capsys):
    (tmp_path / "in").mkdir()
    for number in range(6):
        Image.new("RGB", (32 + 4 * number, 32)).save(tmp_path / "in" / f"{number}.png")  # each size is a batch
    translate, done = Translator.translate_batch, []

    def interrupt_third(self, *arguments):
        done.append(arguments)
        if len(done) == 3:
            signal.raise_signal(signal.SIGINT)
        return translate(self, *arguments)

    words = ["translate", tiny_run.path, tmp_path / "in", "-o", tmp_path / "out"]
    with monkeypatch.context() as patched:
        patched.setattr(Translator, "translate_batch", interrupt_third)
        with pytest.raises(SystemExit) as end:
            pix2pix(*words)
    assert end.value.code == 130
    said = capsys.readouterr().err
    written = len(list((tmp_path / "out").glob("*.png")))
    assert f"Interrupted. {written} of 6 results are written to {tmp_path / 'out'}, each of them whole." in said
    assert f"Go on with: pix2pix {' '.join(map(str, words))} --skip-existing" in said
    assert "Aborted" not in said
    pix2pix(*words, "--skip-existing")
    assert f"{6 - written} pictures in {tmp_path / 'out'}, {written} exist already" in capsys.readouterr().out


def test_an_interrupted_evaluation_leaves_nothing_and_says_so(run, monkeypatch, capsys):
    def interrupt(*_arguments):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("pix2pix.evaluation.evaluate._run_pairs", interrupt)
    with pytest.raises(SystemExit) as end:
        pix2pix("evaluate", run.path)
    assert end.value.code == 130
    assert "Interrupted. The evaluation that was under way is not written" in capsys.readouterr().err
    assert not [path for path in run.path.rglob("*") if "val" in path.name and path.is_dir()]
