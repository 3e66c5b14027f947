"""A run keeps what it said: the messages of all its sessions, and no password."""

import logging
import multiprocessing
import warnings

import pytest

from pix2pix.runs import train_log
from pix2pix.runs.run import Run
from pix2pix.runs.train_log import collect_messages
from tests.conftest import TINY, TINY_FOLDER, noise_pairs, pix2pix

log = logging.getLogger("pix2pix.tests")


def lines(run: Run) -> list[str]:
    return (run.path / "train.log").read_text(encoding="utf-8").splitlines()


def test_every_session_adds_to_the_log_of_its_run(run):
    first = lines(run)
    assert first[0].startswith("--- pix2pix train data.size=32")
    assert any(line.endswith(f"Look at {run.path.parent.name}") or "Finished. Look at" in line for line in first)
    pix2pix("train", *TINY, f"output_dir={run.path.parent}", "name=tiny", "trainer.max_epochs=3")
    both = lines(run)
    assert both[: len(first)] == first
    added = "\n".join(both[len(first) :])
    assert "has another end than before: trainer.max_epochs 2 -> 3" in added
    assert "is unfinished: resuming from" in added


def test_skipped_pictures_and_the_error_that_ends_a_training_are_in_the_log(tmp_path):
    (noise_pairs(tmp_path / "pairs", 6) / "train" / "2.jpg").write_bytes(b"no picture")
    words = ["train", *TINY_FOLDER, f"data.path={tmp_path}/pairs", f"output_dir={tmp_path}", "name=a"]
    pix2pix(*words, "data.on_error=skip", "data.cache=off")
    assert any("2.jpg" in line and "Skipped (1 of at most 10)" in line for line in lines(Run(tmp_path / "a")))
    with pytest.raises(SystemExit):
        pix2pix(*words[:-1], "name=b", "data.cache=off")
    assert any("2.jpg" in line for line in lines(Run(tmp_path / "b")))
    assert "ERROR The training ended with an error." in "\n".join(lines(Run(tmp_path / "b")))


def test_messages_and_warnings_before_the_run_is_known_are_kept_and_passwords_are_not(tmp_path, monkeypatch):
    run, shown = Run(tmp_path), []
    monkeypatch.setattr(warnings, "showwarning", lambda message, *_: shown.append(str(message)))
    with collect_messages() as messages:
        log.warning("from https://user:secret@host/pairs")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("careful", UserWarning, stacklevel=1)
        messages.open(run.path)
        log.warning("later")
    log.warning("afterwards")
    assert shown == ["careful"]
    assert [line.split(" ", 2)[-1] for line in lines(run)[1:]] == [
        "WARNING from https://***@host/pairs",
        "WARNING UserWarning: careful",
        "WARNING later",
    ]


def test_the_log_does_not_grow_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(train_log, "MAX_BYTES", 2000)
    for _session in range(3):
        with collect_messages() as messages:
            messages.open(tmp_path)
            for number in range(100):
                log.warning("message %d of many", number)
    assert sum("The log is full" in line for line in lines(Run(tmp_path))) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"train.log", "train.log.1"}
    assert all(path.stat().st_size < 2200 for path in tmp_path.iterdir())


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path, monkeypatch, capsys):
    with collect_messages() as messages:
        messages.open(tmp_path)
        messages._file.close()
        messages._file = open("/dev/full", "w", buffering=1, encoding="utf-8")  # noqa: PTH123, SIM115 - closed with it
        log.warning("lost")
    assert "Logging error" not in capsys.readouterr().err


def test_a_log_that_cannot_be_opened_stops_nothing(tmp_path, caplog):
    (tmp_path / "train.log").mkdir()
    with collect_messages() as messages:
        messages.open(tmp_path)
        log.warning("later")
    assert f"{tmp_path / 'train.log'}: cannot be written (Is a directory)" in caplog.text


def test_loader_processes_write_to_the_same_log(tmp_path):
    with collect_messages() as messages:
        messages.open(tmp_path)
        process = multiprocessing.get_context("fork").Process(target=log.warning, args=("from a worker",))
        process.start()
        process.join()
        log.warning("from the training")
    assert [line.rpartition("WARNING ")[2] for line in lines(Run(tmp_path))[1:]] == [
        "from a worker",
        "from the training",
    ]
