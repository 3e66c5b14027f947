"""The command line answers at once, in words, and imports nothing heavy to do so."""

import io
import subprocess
import sys

import pytest

from pix2pix.cli.main import SECTIONS, cli
from pix2pix.core.terminal import style
from tests.conftest import command, pix2pix


def test_help_imports_nothing_heavy():
    code = "import sys; sys.argv = ['pix2pix', '--help']\nfrom pix2pix.cli import main\n"
    code += "try: main()\nexcept SystemExit: pass\n"
    code += "print([m for m in ('torch', 'hydra', 'numpy', 'PIL') if m in sys.modules])"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "train" in output
    assert output.endswith("[]\n")


@pytest.mark.parametrize("module", ["pix2pix.inference.files", "pix2pix.evaluation.evaluate", "pix2pix.cli.evaluate"])
def test_translating_and_evaluating_import_nothing_that_only_trainings_need(module):
    heavy = ("lightning_fabric", "pytorch_lightning", "torchmetrics", "torch._dynamo", "matplotlib", "sympy")
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output == "[]\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--help"], "facades_reverse"),
        (["experiment=facade"], "facades_reverse"),
        (["generator.dept=7"], "did you mean depth?"),
    ],
)
def test_choices_are_shown_and_misspelt_words_refused_without_waiting_for_torch(words, says, tmp_path):
    code = "import sys\nfrom pix2pix.cli import main\n"
    code += "try: main()\nexcept SystemExit as end: print(end)\n"
    code += "print([m for m in ('torch', 'pytorch_lightning', 'torchmetrics') if m in sys.modules])"
    python = [sys.executable, "-c", code, "train", *words]
    output = subprocess.run(python, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    assert says in output
    assert output.endswith("[]\n")


def test_help_shows_every_command_once_with_its_whole_first_sentence(capsys):
    assert sorted(name for names in SECTIONS.values() for name in names) == sorted(cli.commands)
    pix2pix("--help")
    said = " ".join(capsys.readouterr().out.split())
    assert "..." not in said.replace("[ARGS]...", "")
    assert all(command.get_short_help_str(limit=200) in said for command in cli.commands.values())


def test_a_terminal_has_colours_unless_no_color_is_set(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert style("x", "bold", "red", stream=Terminal()) == "\033[1;31mx\033[0m"
    assert style("x", "bold", stream=io.StringIO()) == "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert style("x", "bold", stream=Terminal()) == "x"


@pytest.mark.parametrize("name", ["evaluate", "translate"])
def test_every_command_has_help_with_an_example(name, capsys):
    pix2pix(name, "--help")
    assert f"pix2pix {name} outputs/facades" in capsys.readouterr().out


def test_a_mistake_is_a_sentence_and_not_a_traceback(tmp_path):
    result = command("evaluate", "nowhere", cwd=tmp_path)
    assert result.returncode == 1
    assert (
        result.stderr
        == "pix2pix: nowhere: not a run, it has no config.yaml. Give a directory that `pix2pix train` made.\n"
    )


def test_the_traceback_is_there_when_asked_for(monkeypatch):
    monkeypatch.setenv("PIX2PIX_TRACEBACK", "1")
    with pytest.raises(FileNotFoundError):
        pix2pix("evaluate", "nowhere")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["experiment=facade"], "facade"),
        (["discriminator.receptive_field=50"], "Choose from 1, 16, 34, 70, 142, 286."),
        (["generator.dept=7"], "did you mean depth?"),
        (["data.size"], "data.size"),
    ],
)
def test_training_refuses_in_words(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as refused:
        pix2pix("train", *words)
    assert str(refused.value).startswith("pix2pix: ")
    assert message in str(refused.value)
    assert not list(tmp_path.iterdir())
