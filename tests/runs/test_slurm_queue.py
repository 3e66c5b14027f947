"""What a sweep knows of its jobs in Slurm's queue, of a stand-in for squeue."""

import pytest

from pix2pix.runs import slurm_queue
from pix2pix.runs.slurm_queue import add_numbers, find_queued, read_numbers, read_states, record_states, wait_for_jobs
from pix2pix.runs.sweep import SWEEP, Job


@pytest.fixture(autouse=True)
def _sweep_of_its_own():
    SWEEP.reset()
    yield
    SWEEP.reset()


@pytest.fixture
def squeue(tmp_path, monkeypatch):
    """A function that sets what squeue prints, or with which code it fails."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    command = folder / "squeue"

    def answer(*lines, code=0):
        said = "\n".join(lines)
        command.write_text(f"#!/bin/sh\ncat <<'END'\n{said}\nEND\nexit {code}\n")
        command.chmod(0o755)

    return answer


def test_runs_in_the_queue_are_found_again_by_the_numbers_that_the_sweep_keeps(tmp_path, squeue):
    assert find_queued(tmp_path) == {}  # without asking squeue, of a sweep that submitted nothing
    add_numbers(tmp_path, {"seed=1": "7_0", "seed=2": "7_1", "seed=3": "7_2", "seed=4": "8"})
    add_numbers(tmp_path, {"seed=4": "9"})
    assert read_numbers(tmp_path)["seed=4"] == "9"
    squeue("7_0 RUNNING", "7_1 COMPLETED", "9 PENDING", "8 RUNNING")
    assert find_queued(tmp_path) == {"seed=1": "7_0", "seed=4": "9"}  # Slurm has forgotten 7_2


def test_no_run_is_submitted_while_slurm_does_not_answer(tmp_path, squeue):
    add_numbers(tmp_path, {"seed=1": "7_0"})
    squeue(code=1)
    assert read_states() is None
    with pytest.raises(ValueError, match="squeue does not answer"):
        find_queued(tmp_path)


def test_the_table_says_what_slurm_says_of_a_job(tmp_path):
    jobs = {str(number): Job(tmp_path, f"seed={number}", []) for number in range(1, 6)}
    for job in jobs.values():
        SWEEP.add(job)
    states = {"1": "RUNNING", "2": "PENDING", "3": "CANCELLED", "4": "OUT_OF_MEMORY", "5": "FAILED"}
    assert record_states(jobs, states) == [jobs["1"]]
    assert [SWEEP.outcome(job)[0] for job in jobs.values()] == ["running", "queued", "stopped", "stopped", "not run"]
    assert "hydra.launcher.mem_gb=32" in SWEEP.table()
    record_states(jobs, {})  # they have ended, and Slurm has forgotten them
    assert {SWEEP.outcome(job)[0] for job in jobs.values()} == {"not run"}


def test_waiting_outlasts_a_controller_that_does_not_answer_and_says_so_once(tmp_path, monkeypatch, caplog):
    answers = iter([{"7": "PENDING"}, None, None, {"7": "RUNNING"}, {"7": "COMPLETED"}])
    monkeypatch.setattr(slurm_queue, "read_states", lambda: next(answers))
    monkeypatch.setattr(slurm_queue, "POLL_SECONDS", 0)
    job, seen = Job(tmp_path, "seed=1", []), []
    wait_for_jobs({"7": job}, seen.append)
    assert seen == [[], [job], []]
    assert [record.message for record in caplog.records] == ["squeue does not answer; waiting for it. The jobs go on."]
