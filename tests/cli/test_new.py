"""`pix2pix new`: a package with a name of the user's own, which works as it is."""

import re
import subprocess
import sys

import pytest

from pix2pix.runs.run import Run
from tests.conftest import forget_package, pix2pix

NAME = "facelab"


@pytest.mark.slow
def test_it_has_its_name_everywhere_and_its_own_tests_pass(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pix2pix("new", NAME)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    result = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path / NAME)
    assert result.returncode == 0, result.stdout
    files = [file for file in (tmp_path / NAME).rglob("*") if file.suffix in {".py", ".yaml", ".toml", ".md"}]
    assert len(files) > 15
    assert not [file for file in files if "mylab" in f"{file.relative_to(tmp_path)} {file.read_text()}"]


def test_the_next_command_trains(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pix2pix("new", NAME)
    install, command = re.findall(r"^  (.+)$", capsys.readouterr().out, flags=re.MULTILINE)
    assert install == f"cd {NAME} && pip install --editable ."
    monkeypatch.chdir(tmp_path / NAME)
    monkeypatch.syspath_prepend(tmp_path / NAME)  # as installed
    with forget_package(NAME):
        pix2pix(*command.split()[1:], "trainer=cpu", "trainer.max_epochs=1", "data.source.pairs=1")
    run = Run(tmp_path / NAME / "outputs" / "discs")
    assert run.is_finished()
    assert f"_target_: {NAME}.networks.ContextNet" in run.config_file.read_text()


@pytest.mark.parametrize("name", ["My-Lab", "2labs", "../lab", "class", "ourlab/"])
def test_what_is_no_name_of_a_package_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"no name of a Python package\. Use lower-case letters"):
        pix2pix("new", name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["torch", "random", "pix2pix", "configs"])
def test_a_name_that_is_taken_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=f"{name}: the name of a .* Choose another one"):
        pix2pix("new", name)
    assert not list(tmp_path.iterdir())


def test_what_exists_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "mine.txt").write_text("mine")
    with pytest.raises(SystemExit, match=f"{NAME}: exists already"):
        pix2pix("new", NAME)
    assert [path.name for path in (tmp_path / NAME).iterdir()] == ["mine.txt"]
