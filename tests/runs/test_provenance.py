"""A run records the code that made it: commit, changes and packages, and no secret that can be helped."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from pix2pix.runs import repositories
from pix2pix.runs.provenance import describe_session, read_provenance
from pix2pix.runs.run import Run
from tests.conftest import make_config

IDENTITY = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")


def git(folder: Path, *words: str) -> str:
    output = subprocess.run(["git", "-C", str(folder), *IDENTITY, *words], capture_output=True, text=True, check=True)
    return output.stdout.strip()


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    """A working directory under git, with one module that is committed."""
    folder = tmp_path / "lab"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "nets.py").write_text("width = 1\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    monkeypatch.chdir(folder)
    return folder


def record(run: Path, folder: Path, *words: str) -> dict:
    session = describe_session(run, make_config(*words))
    return next(state for state in session["repositories"] if state["path"] == str(folder))


def test_commit_changes_and_new_files_are_recorded_with_the_diff(repository, tmp_path):
    clean = record(tmp_path, repository)
    commit = git(repository, "rev-parse", "HEAD")
    assert clean == {"path": str(repository), "commit": commit, "dirty": False, "untracked": []}
    (repository / "nets.py").write_text("width = 2\nurl = 'https://me:secret@host'\n")
    (repository / "new.py").write_text("")
    state = record(tmp_path, repository)
    assert (state["dirty"], state["untracked"]) == (True, ["new.py"])
    diff = (tmp_path / state["diff"]).read_text()
    assert "+width = 2\n" in diff
    assert "secret" not in diff
    assert record(tmp_path, repository)["diff"] == state["diff"]
    assert len(list((tmp_path / "provenance").glob("*.diff"))) >= 1


def test_a_very_long_diff_is_not_kept(repository, tmp_path, monkeypatch):
    monkeypatch.setattr(repositories, "MAX_DIFF", 100)
    (repository / "nets.py").write_text("width = 2\n" * 1000)
    state = record(tmp_path, repository)
    assert state["dirty"] is True
    assert "diff" not in state


def test_a_repository_without_a_commit_is_told_as_such(tmp_path, monkeypatch):
    git(tmp_path, "init", "-q")
    monkeypatch.chdir(tmp_path)
    state = record(tmp_path / "run", tmp_path)
    assert (state["commit"], state["dirty"]) == (None, None)


def test_the_repository_of_ones_own_module_is_recorded_from_anywhere(repository, tmp_path, monkeypatch):
    (repository / "lab_nets.py").write_text("from torch import nn\n\n\nclass Small(nn.Conv2d):\n    pass\n")
    monkeypatch.syspath_prepend(str(repository))
    monkeypatch.chdir(tmp_path)
    state = record(tmp_path, repository, "generator._target_=lab_nets.Small")
    assert state["untracked"] == ["lab_nets.py"]
    sys.modules.pop("lab_nets")


def test_no_repository_is_recorded_where_it_is_not_wished(repository, tmp_path):
    assert "repositories" not in describe_session(tmp_path, make_config("provenance.code=false"))
    assert [path.suffix for path in (tmp_path / "provenance").iterdir()] == [".txt"]


def test_git_runs_no_program_that_a_repository_names(repository, tmp_path):
    for name in ("core.fsmonitor", "diff.external"):
        git(repository, "config", name, f"touch {tmp_path}/ran")
    (repository / "nets.py").write_text("width = 2\n")
    assert record(tmp_path / "run", repository)["dirty"] is True
    assert not (tmp_path / "ran").exists()


def test_without_git_a_training_is_recorded_all_the_same(repository, tmp_path, monkeypatch):
    monkeypatch.setattr(repositories, "GIT", ("no-such-git",))
    assert describe_session(tmp_path, make_config())["repositories"] == []


def test_all_installed_packages_are_recorded_once_for_all_sessions(tiny_run: Run):
    session = tiny_run.provenance()["sessions"][-1]
    packages = (tiny_run.path / session["packages"]).read_text().splitlines()
    assert f"torch=={version('torch')}" in packages
    assert any(line.startswith("pix2pix @ file://") for line in packages)
    assert len(packages) == len(set(packages)) > 50
    assert json.dumps(session["repositories"])


@pytest.mark.parametrize(
    "content",
    [{"sessions": [1]}, {"sessions": [{}, None]}, {"best": {"val/l1": "x"}}, {"data_fingerprint": 5}, {"threads": "2"}],
)
def test_a_provenance_with_values_of_other_types_is_damaged(tmp_path, content):
    file = tmp_path / "provenance.json"
    file.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf"^{file}: cannot be read"):
        read_provenance(file)


def test_a_provenance_may_hold_more_than_is_read_back(tmp_path):
    content = {"sessions": [{"note": None}], "best": {"val/l1": 1}, "ours": [1, {}], "finished": "yes"}
    (tmp_path / "provenance.json").write_text(json.dumps(content))
    assert read_provenance(tmp_path / "provenance.json") == content
