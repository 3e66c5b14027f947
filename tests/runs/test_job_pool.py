"""The pool of a sweep's jobs: how each is ended, and what that is called."""

import os
import signal
import sys

import pytest

from pix2pix.runs.device_slots import DeviceSlots
from pix2pix.runs.job_pool import JobPool
from pix2pix.runs.sweep import Job

SLEEP = "import time; time.sleep(60)"


class Program(Job):
    """A job that runs lines of Python instead of a training."""

    def command(self) -> list[str]:
        return [sys.executable, "-c", *self.overrides]


def program(folder, lines: str, name: str = "a") -> Program:
    return Program(sweep=folder, name=name, overrides=[lines])


def pool(at_once: int = 1, **options) -> JobPool:
    return JobPool(DeviceSlots(list(range(at_once)), at_once=at_once, threads=1), **options)


def endings(jobs: list[Program], at_once: int = 1, **options) -> list[tuple[str, str]]:
    return [(job.name, ending.state) for job, ending in pool(at_once, **options).run(jobs)]


def test_a_job_without_prospects_is_pruned_and_its_slot_given_to_the_next(tmp_path):
    jobs = [program(tmp_path, SLEEP, "hopeless"), program(tmp_path, "pass", "good")]
    assert endings(jobs, should_prune=lambda job: job.name == "hopeless") == [("hopeless", "pruned"), ("good", "done")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_to_the_sweep_stops_its_jobs_and_then_ends_it(tmp_path, number):
    before = signal.getsignal(number)
    running = pool(2, should_prune=lambda _job: os.kill(os.getpid(), number)).run(
        [program(tmp_path, SLEEP, name) for name in ("a", "b", "c")]
    )
    found = [(job.name, ending.state, ending.detail.split()[1]) for job, ending in (next(running), next(running))]
    assert sorted(found) == [("a", "stopped", number.name), ("b", "stopped", number.name)]
    with pytest.raises(SystemExit) as end:
        next(running)
    assert end.value.code == 128 + number
    assert signal.getsignal(number) is before


def test_a_job_may_save_before_it_ends(tmp_path):
    saves = f"import signal, pathlib; signal.signal(15, lambda *_: pathlib.Path({str(tmp_path / 'saved')!r}).touch())"
    job = program(tmp_path, f"{saves}\nprint('ready', flush=True)\nsignal.pause()\nraise SystemExit(1)")

    def until_ready(_job):
        if "ready" in job.log.read_text():
            os.kill(os.getpid(), signal.SIGTERM)
        return False

    _, ending = next(pool(should_prune=until_ready).run([job]))
    assert ending.state == "stopped"
    assert (tmp_path / "saved").exists()


def test_a_second_ctrl_c_does_not_wait(tmp_path):
    again = f"lambda *_: os.kill({os.getpid()}, signal.SIGINT)"  # once it is asked to end, and does not
    stubborn = program(tmp_path, f"import os, signal; signal.signal(15, {again})\nprint('ready', flush=True)\n{SLEEP}")

    def once_ready(job):
        if "ready" in job.log.read_text():
            os.kill(os.getpid(), signal.SIGINT)
        return False

    results = pool(should_prune=once_ready).run([stubborn])
    _, ending = next(results)
    assert ending.state == "stopped"
    assert ending.detail.startswith("by SIGINT")
    with pytest.raises(SystemExit) as end:
        next(results)
    assert end.value.code == 128 + signal.SIGINT


def test_a_terminal_that_nohup_ignores_may_be_closed(tmp_path):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        ends = program(tmp_path, f"import os, time; os.kill({os.getpid()}, 1); time.sleep(0.1)")
        assert endings([ends]) == [("a", "done")]
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ("lines", "state"),
    [
        ("import os; os.kill(os.getpid(), 15)", "stopped"),
        ("raise SystemExit(143)", "stopped"),
        ("raise SystemExit(138)", "stopped"),
        ("import os; os.kill(os.getpid(), 9)", "failed"),
        ("raise SystemExit(1)", "failed"),
        ("raise SystemExit(128)", "failed"),
    ],
)
def test_a_job_that_was_asked_to_end_is_stopped_and_did_not_fail(tmp_path, lines, state):
    assert endings([program(tmp_path, lines)]) == [("a", state)]


def test_an_error_beside_the_jobs_leaves_none_running(tmp_path):
    def broken(_job):
        raise OSError("disk full")

    running = pool(should_prune=broken)
    with pytest.raises(OSError, match="disk full"):
        list(running.run([program(tmp_path, SLEEP)]))
    assert [process.returncode for process in running.running] == [-signal.SIGTERM]


def test_a_log_goes_on_beside_a_process_that_an_earlier_sweep_left_behind(tmp_path):
    job = program(tmp_path, "print('new')")
    with job.open_log() as orphan:
        orphan.write(b"old\n")
        assert endings([job]) == [("a", "done")]
        orphan.write(b"still there\n")
    lines = job.log.read_text().splitlines()
    assert [line for line in lines if not line.startswith("--- begun at ")] == ["old", "new", "still there"]
    assert len(lines) == 5


def test_what_an_earlier_start_said_is_not_this_ones_error(tmp_path):
    assert endings([program(tmp_path, "raise SystemExit('pix2pix: no data')")]) == [("a", "failed")]
    job = program(tmp_path, "import os; os.kill(os.getpid(), 9)")
    ((_, ending),) = pool().run([job])
    assert ending == ("failed", "ended by SIGKILL, after: it left no message")


def test_a_job_that_the_system_will_not_start_fails_alone(tmp_path):
    jobs = [program(tmp_path, "#" * 300_000, "long"), program(tmp_path, "pass", "good")]
    found = list(pool().run(jobs))
    assert [(job.name, ending.state) for job, ending in found] == [("long", "failed"), ("good", "done")]
    assert "cannot be started: [Errno 7] Argument list too long" in found[0][1].detail
