"""Another number of threads rounds sums otherwise: it is kept, or told of."""

import logging
import os
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from pix2pix.runs import threads
from pix2pix.runs.run import Run
from pix2pix.runs.threads import keep_thread_count
from tests.conftest import TINY, pix2pix, same_weights


@pytest.fixture(autouse=True)
def _threads() -> Any:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def trainer() -> pl.Trainer:
    return pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)


def record_threads(number: int, run: Run) -> None:
    run._write_provenance(**run.provenance() | {"threads": number, "finished": False})


def test_a_run_goes_on_with_the_threads_it_was_begun_with(run, tmp_path, tiny_run, capsys):
    assert tiny_run.provenance()["threads"] == tiny_run.provenance()["sessions"][0]["threads"] == 1
    record_threads(1, run)
    (run.checkpoints / "last.ckpt").unlink()  # from the first epoch on
    torch.set_num_threads(2)
    pix2pix("train", *TINY, f"output_dir={tmp_path}", "name=tiny")
    output = capsys.readouterr().out
    assert "The run continues with 1 thread, as it was started, and not with 2 threads" in output
    assert "It runs on the CPU with 1 thread" in output
    assert torch.get_num_threads() == 2
    assert same_weights(run, tiny_run)
    assert [session["threads"] for session in run.provenance()["sessions"]] == [1, 1]


def test_threads_that_the_machine_has_not_are_told_of(run, trainer, caplog, monkeypatch):
    monkeypatch.setattr(threads, "count_cores", lambda: 2)
    record_threads(8, run)
    with keep_thread_count(run, trainer):
        assert torch.get_num_threads() == 1
    assert "was started with 8 threads, but this machine has 2 cores: it continues with 1 thread" in caplog.text
    assert run.threads() == 8, "on a machine that has them it goes on with them"
    assert run.provenance()["sessions"][-1]["threads"] == 1


def test_a_run_that_saved_nothing_is_begun_with_any_number(run, trainer, caplog):
    caplog.set_level(logging.INFO)
    record_threads(8, run)
    for checkpoint in run.resume_checkpoints():
        checkpoint.unlink()
    with keep_thread_count(run, trainer):
        pass
    assert not caplog.messages
    assert run.provenance()["threads"] == 1


def test_several_processes_share_the_cores_and_keep_their_share(run, trainer, monkeypatch):
    monkeypatch.setattr(threads, "count_cores", lambda: 8)
    monkeypatch.setattr(type(trainer), "world_size", 4)
    monkeypatch.setattr(type(trainer), "num_devices", 4)
    monkeypatch.delenv("OMP_NUM_THREADS")
    record_threads(8, run)
    for checkpoint in run.resume_checkpoints():
        checkpoint.unlink()
    with keep_thread_count(run, trainer):
        assert torch.get_num_threads() == 2
        assert os.environ["OMP_NUM_THREADS"] == "2", "the processes that are started inherit it"
    assert run.provenance()["threads"] == 2
