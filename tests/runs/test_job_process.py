"""The process of a sweep's job: on Linux a fork of a server that has imported everything."""

import importlib
import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from pix2pix.runs.job_process import PRELOAD, ForkedProcess, start_process
from pix2pix.runs.sweep import Job
from tests.conftest import TINY, same_weights, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks jobs")
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


def make_job(folder, *words: str) -> Job:
    return Job(folder, "run", [*TINY, "trainer.max_epochs=1", *words], flags=[f"run_dir={folder}/run"])


def run(job: Job, environment: dict[str, str] = ONE_THREAD) -> int:
    process = start_process(job, environment)
    process.wait(100)
    code = process.poll()
    assert code is not None
    return code


def test_what_the_server_imports_exists():
    before = signal.getsignal(signal.SIGTERM)
    for name in PRELOAD:
        importlib.import_module(name)
    assert signal.getsignal(signal.SIGTERM) is before, "only the server ignores the signals of its jobs"


def test_a_fork_trains_as_the_command_line_does(tmp_path):
    assert isinstance(start_process(make_job(tmp_path / "fork"), ONE_THREAD), ForkedProcess)
    as_command = make_job(tmp_path / "command")
    subprocess.run(as_command.command(), env=os.environ | ONE_THREAD, check=True, capture_output=True)
    fork = make_job(tmp_path / "fork").run
    wait_until(fork.is_finished)
    assert same_weights(fork, as_command.run)
    provenances = [json.loads((job / "provenance.json").read_text()) for job in (fork.path, as_command.run.path)]
    assert [each["threads"] for each in provenances] == [1, 1]


def test_its_log_takes_its_output_and_its_error_is_its_exit_code(tmp_path):
    job = make_job(tmp_path, "data.size=17", "generator.depth=9")
    assert run(job) == 1
    assert "depth" in job.error_line()


def test_it_stops_and_saves_when_it_is_asked_to_and_ignores_what_nohup_ignores(tmp_path):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        job = make_job(tmp_path, "trainer.max_epochs=10000")
        process = start_process(job, ONE_THREAD)
    finally:
        signal.signal(signal.SIGHUP, before)
    wait_until(lambda: "epoch 1/" in job.log.read_text())
    os.killpg(process.pid, signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(60)
    assert process.poll() == 128 + signal.SIGTERM
    assert job.run.last_checkpoint.is_file()


def test_a_killed_server_costs_no_training(tmp_path):
    job = make_job(tmp_path, "trainer.max_epochs=3")
    process = start_process(job, ONE_THREAD)
    parent = psutil.Process(process.pid).parent()
    assert parent
    parent.kill()
    while process.poll() is None:
        time.sleep(0.05)
    assert job.run.is_finished()


def test_a_gpu_and_a_script_that_would_start_again_get_processes_of_their_own(tmp_path, monkeypatch):
    job = make_job(tmp_path, "data.size=17", "generator.depth=9")
    started = [start_process(job, {"CUDA_VISIBLE_DEVICES": "0"})]
    monkeypatch.setattr(sys.modules["__main__"], "__file__", "/home/me/my_sweep.py", raising=False)
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    started.append(start_process(job, ONE_THREAD))
    for process in started:
        assert isinstance(process, subprocess.Popen)
        process.kill()
        process.wait()
