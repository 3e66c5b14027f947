"""The run directory: how it begins, and what is said of files in it that are damaged."""

import errno
import fcntl
import json
import os
import shutil
import threading
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import pytest

from pix2pix.runs import directory_lock
from pix2pix.runs.run import Run
from tests.conftest import TINY, make_config, pix2pix, wait_until


def test_beginning_where_nothing_can_be_written_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("in the way")
    refused = pytest.raises(OSError, match=r"cannot write the run .*Set output_dir=")
    with refused, Run(tmp_path / "file" / "run").open_session({}, "digest"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


class Kill(BaseException):
    """Ends what is being done, as a kill would."""


@pytest.mark.parametrize("written", ["provenance/", "provenance.json", "config.yaml"])
def test_a_run_that_was_killed_while_its_directory_was_made_begins_again(tmp_path, monkeypatch, written):
    """Killed before one of its first files has its name; what was written before, and the part of it, stay."""
    run, config = Run(tmp_path / "run"), make_config(*TINY)

    def rename(part, name):
        if str(name).startswith(f"{run.path}/{written}"):
            raise Kill
        return replace(part, name)

    replace = Path.replace
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", rename)
        patch.setattr(Path, "unlink", lambda *_, **__: None)  # a killed process tidies nothing
        with pytest.raises(Kill):
            run.open_session(config, "digest").__enter__()
    assert not run.config_file.exists()
    run.require_same(config)
    with run.open_session(config, "digest"):
        assert run.config() == config


DAMAGES = {
    "cut": lambda text: text[:900] + b"\n  x: [",
    "cut between lines": lambda text: text[: text.index(b"\ntrainer:")],
    "empty": lambda text: b"",
    "a list": lambda text: b"- 1\n- 2\n",
    "words": lambda text: b"hello",
    "no text": lambda text: b"\xff\xfe\x00" + text,
    "zeros": lambda text: bytes(500),
    "tags": lambda text: b"!!python/object/apply:os.system [id]",
    "another program's": lambda text: b"version: 2\nservices: {web: {image: x}}\n",
    "parts that are none": lambda text: b"data: 1\ngenerator: 2\nobjective: 3\noptimizer: 4\ntrainer: 5\n",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_config_yaml_is_named_with_the_ways_on(run, tmp_path, damage):
    run.config_file.write_bytes(DAMAGES[damage](run.config_file.read_bytes()))
    named = rf"^pix2pix: {run.config_file}: .*Restore a copy"
    with pytest.raises(SystemExit, match=named) as error:
        pix2pix("train", *TINY, f"output_dir={tmp_path}", "name=tiny")
    assert f"resume={run.last_checkpoint}" in str(error.value)
    with pytest.raises(SystemExit, match=named):
        pix2pix("evaluate", run.path)
    with pytest.raises(SystemExit, match=named):
        pix2pix("train", *TINY, f"output_dir={tmp_path}", "name=new", f"init_from={run.path}")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("content", ["", '{"finished": fal', "[1]", '{"sessions": 5}', "\x00\x00", '{"best": []}'])
def test_a_damaged_provenance_is_set_aside_and_the_run_goes_on(run, tmp_path, capsys, content):
    run.provenance_file.write_text(content)
    with pytest.raises(ValueError, match=rf"^{run.provenance_file}: cannot be read .*Restore a copy, or remove it"):
        run.provenance()
    pix2pix("train", *TINY, f"output_dir={tmp_path}", "name=tiny")
    assert "It was renamed to provenance.unreadable-1.json. The run continues" in capsys.readouterr().out
    assert run.is_finished()
    assert (run.path / "provenance.unreadable-1.json").read_text() == content
    assert json.loads(run.provenance_file.read_text())["best"]["val/ssim"] > 0


def in_a_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """Locks belong to open files, so a thread waits for one as another process would."""
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(work()), daemon=True)
    thread.start()
    return thread, results


def test_a_run_is_set_aside_only_when_no_process_trains_it(tiny_run, tmp_path, caplog):
    caplog.set_level("INFO")
    run = Run(tmp_path / "run")
    with run.open_session(tiny_run.config(), "digest"):
        thread, results = in_a_thread(run.archive)
        wait_until(lambda: caplog.messages)
        assert "is being trained by another process; waiting" in caplog.messages[0]
        assert not results
    thread.join(10)
    assert results == [tmp_path / "run.before-1"]
    assert not run.path.exists()


def test_who_waited_for_a_run_that_was_set_aside_begins_it_anew_under_its_lock(tiny_run, tmp_path, caplog):
    """The lock it waited for is then that of a directory with another name."""
    caplog.set_level("INFO")
    run = Run(tmp_path / "run")
    run.path.mkdir()
    held = os.open(run.path, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)

    def begin() -> str:
        with run.open_session(tiny_run.config(), "digest"):
            with pytest.raises(BlockingIOError):
                fcntl.flock(os.open(run.path, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
            return "begun"

    thread, results = in_a_thread(begin)
    wait_until(lambda: caplog.messages)
    run.path.rename(tmp_path / "run.before-1")
    os.close(held)
    thread.join(10)
    assert results == ["begun"]
    assert run.config_file.is_file()
    assert list((tmp_path / "run.before-1").iterdir()) == []


def test_a_full_disk_takes_nothing_of_a_run_that_another_process_made_meanwhile(tiny_run, tmp_path, monkeypatch):
    """Both began when there was no directory; the other one had the lock first, and filled the disk."""
    run, config = Run(tmp_path / "run"), tiny_run.config()

    @contextmanager
    def lock_late(path):
        shutil.copytree(tiny_run.path, path)
        provenance = tiny_run.provenance() | {"finished": False}
        (path / "provenance.json").write_text(json.dumps(provenance))
        yield

    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pix2pix.runs.run.lock_directory", lock_late)
    monkeypatch.setattr("pix2pix.runs.run.describe_session", refuse)
    session = run.open_session(config, tiny_run.provenance()["data_fingerprint"])
    with pytest.raises(OSError, match=r"cannot write the run \(No space left"), session:
        pass
    assert run.config() == config
    assert run.resume_checkpoints()


def test_nothing_is_set_aside_where_there_is_no_run(tmp_path):
    assert Run(tmp_path / "run").archive() is None
    (tmp_path / "other").mkdir()
    assert Run(tmp_path / "other").archive() is None
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_a_system_without_locks_of_directories_locks_a_file_beside_them(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(directory_lock, "fcntl", None)  # as on Windows
    caplog.set_level("INFO")
    order = []

    def wait_for_it():
        with directory_lock.lock_directory(tmp_path / "run"):
            order.append("second")

    with directory_lock.lock_directory(tmp_path / "run"):
        second = threading.Thread(target=wait_for_it)
        second.start()
        wait_until(lambda: "waiting for it to end" in caplog.text)
        order.append("first")
    second.join(60)
    assert order == ["first", "second"]
