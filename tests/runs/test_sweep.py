"""Sweeps: runs named by what differs, continued by the same command, each in a process of its own."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra._internal.config_loader_impl import ConfigLoaderImpl

from hydra_plugins.pix2pix_search import OptunaSearch
from pix2pix.runs.device_slots import DeviceSlots
from pix2pix.runs.job_pool import JobPool, JobResult
from pix2pix.runs.run import Run
from pix2pix.runs.sweep import SWEEP, Job, Sweep, find_error_line
from tests.conftest import (
    DATASETS,
    TINY,
    command,
    command_line,
    compose_mapping,
    make_config,
    needs_datasets,
    pix2pix,
    same_weights,
    start_command,
    wait_until,
)
from tests.warm import WarmPopen

WITHOUT_FIELD = [word for word in TINY if "receptive_field" not in word]


def test_runs_are_named_by_what_differs_and_skipped_once_finished(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", WarmPopen)
    words = ["train", "-m", *WITHOUT_FIELD, f"output_dir={tmp_path}", "name=fields", "discriminator=pixel,patch16"]
    pix2pix(*words)
    first = capsys.readouterr().out
    pix2pix(*words)
    again = capsys.readouterr().out
    sweep = tmp_path / "fields_sweep"
    runs = {path.parent.name for path in sweep.glob("*/config.yaml")}
    assert runs == {"discriminator=pixel", "discriminator=patch16"}
    assert all(Run(sweep / name).is_finished() for name in runs)
    assert f"{sweep}: 2 runs, 2 finished\n  finished  discriminator=pixel    val/ssim " in first
    assert "2 runs, 2 skipped" in again


@pytest.mark.slow
@needs_datasets
def test_a_failed_run_stops_no_other_and_is_tried_again(tmp_path):
    for folder in ("good", "bad"):
        for split in ("train", "val"):
            (tmp_path / folder / split).mkdir(parents=True)
            for name in ("1.jpg", "2.jpg"):
                shutil.copy(DATASETS / "facades" / "test" / name, tmp_path / folder / split)
    broken = tmp_path / "bad" / "train" / "2.jpg"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:2000])
    tiny = [word for word in TINY if "pairs" not in word]
    words = ["train", "-m", *tiny, "data=folder", "data.path=bad,good", "name=two", "data.num_workers=0"]

    first = command(*words, cwd=tmp_path)
    assert first.returncode == 1
    assert "2 runs, 1 finished, 1 failed" in first.stdout
    assert "2.jpg: cannot be read as a picture" in first.stdout
    assert Run(tmp_path / "outputs" / "two_sweep" / "data.path=good").is_finished()

    broken.write_bytes(whole)
    second = command(*words, cwd=tmp_path)
    assert second.returncode == 0, second.stdout
    assert "2 runs, 1 finished, 1 skipped" in second.stdout


@pytest.mark.slow
def test_a_killed_sweep_ends_as_an_unbroken_one(tmp_path, tiny_run):
    """Killed with its jobs left running: the same command waits for them, or goes on from where they stopped."""
    words = ["train", "-m", *TINY, f"output_dir={tmp_path}", "name=seeds", "seed=0,1"]
    first = Run(tmp_path / "seeds_sweep" / "seed=0")
    with start_command(*words) as process:
        wait_until(first.config_file.exists, process)
    again = command(*words)
    assert again.returncode == 0, again.stderr
    assert "2 runs, " in again.stdout
    assert "failed" not in again.stdout
    assert same_weights(first, tiny_run)
    assert Run(tmp_path / "seeds_sweep" / "seed=1").is_finished()


def test_interrupting_a_sweep_ends_its_jobs(tmp_path):
    words = ["train", "-m", *TINY, f"output_dir={tmp_path}", "name=long", "seed=0,1", "trainer.max_epochs=100000"]
    runs = [Run(tmp_path / "long_sweep" / f"seed={seed}") for seed in (0, 1)]
    with start_command(*words) as process:
        wait_until(lambda: all(run.last_checkpoint.exists() for run in runs), process)
        process.send_signal(signal.SIGHUP)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGHUP
    assert "2 runs, 2 stopped\n  stopped   seed=0  by SIGHUP after " in output
    assert subprocess.run(["pgrep", "-f", str(tmp_path)], check=False, capture_output=True).stdout == b""
    assert not any(run.is_finished() for run in runs)


def test_a_sweep_with_one_impossible_job_starts_none(tmp_path):
    with pytest.raises(SystemExit, match=r"in job .*generator\.dropout=2.* cannot be run(.|\n)*No job was started"):
        pix2pix("train", "-m", *TINY, f"output_dir={tmp_path}", "name=s", "generator.dropout=0.1,2")
    assert not list(tmp_path.iterdir())


def test_a_sweep_that_would_change_a_run_starts_none(tmp_path):
    words = ["train", "-m", *TINY, f"output_dir={tmp_path}", "name=s", "seed=0,1"]
    run = Run(tmp_path / "s_sweep" / "seed=1")
    run.checkpoints.mkdir(parents=True)
    run.last_checkpoint.touch()
    run.config_file.write_text(yaml.safe_dump(compose_mapping(*TINY, "name=s", "seed=7")))
    with pytest.raises(SystemExit, match=r"seed=1: holds a run with another configuration(.|\n)*No job was started"):
        pix2pix(*words)
    assert not (tmp_path / "s_sweep" / "seed=0").exists()


def test_a_run_that_a_sweep_trains_longer_is_not_called_skipped(run):
    sweep, job = Sweep(), Job(run.path.parent, run.path.name, [])
    sweep.add(job)
    assert sweep.outcome(job)[0] == "skipped"
    content = run.provenance()
    content["sessions"] *= 2
    run.provenance_file.write_text(json.dumps(content))
    assert sweep.outcome(job)[0] == "finished"


@pytest.mark.parametrize("state", ["failed", "stopped"])
def test_a_finished_run_whose_longer_training_did_not_begin_is_not_called_skipped(run, state):
    """Its data are gone, say: the job fails before the run has a new session."""
    sweep, job = Sweep(), Job(run.path.parent, run.path.name, [])
    sweep.add(job)
    sweep.record_result(job, state, "why")
    assert sweep.outcome(job) == (state, "why")
    assert sweep.has_failures()
    content = run.provenance()
    content["sessions"] *= 2
    run.provenance_file.write_text(json.dumps(content))
    assert sweep.outcome(job)[0] == "finished"


def test_a_sweep_for_fewer_epochs_than_a_run_has_starts_none(tmp_path, tiny_run):
    words = ["train", "-m", *TINY, f"output_dir={tmp_path}", "name=s", "seed=0,1"]
    run = Run(shutil.copytree(tiny_run.path, tmp_path / "s_sweep" / "seed=0"))
    run.config_file.write_text(yaml.safe_dump(run.config().to_mapping() | {"name": "s"}))
    with pytest.raises(SystemExit, match=r"seed=0: was trained for 2 epochs (.|\n)*No job was started"):
        pix2pix(*words, "trainer.max_epochs=1")
    assert not (tmp_path / "s_sweep" / "seed=1").exists()


@pytest.mark.parametrize(
    ("sweep", "runs", "seeds"),
    [
        ("loss", 5, "1,2"),
        *(pytest.param(name, 4, "1", marks=pytest.mark.slow) for name in ("receptive_field", "generator", "l1_weight")),
    ],
    ids=str,
)
def test_named_sweeps_have_the_runs_of_the_paper(sweep, runs, seeds, monkeypatch, tmp_path):
    """All jobs are composed and checked, on another experiment, once with seeds as a further axis; none is run."""
    monkeypatch.setattr(
        "pix2pix.runs.job_pool.JobPool.run", lambda pool, jobs: [(job, JobResult("done", "")) for job in jobs]
    )
    with pytest.raises(SystemExit):  # as no run is finished
        pix2pix("train", f"sweep={sweep}", "experiment=facades", f"seed={seeds}", f"output_dir={tmp_path}")
    jobs = SWEEP.jobs.values()
    assert len(jobs) == len({job.name for job in jobs}) == runs * len(seeds.split(","))
    assert all(job.sweep.name == sweep for job in jobs)


@pytest.mark.slow
def test_a_job_trains_on_two_processes(tmp_path):
    """Training on several devices starts its processes by their command line, which a job must therefore own.

    None of them imports what lies in the current folder.
    """
    for name in ("pix2pix", "torch"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the current folder')")
    ddp = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "trainer.max_epochs=1"]
    words = command_line("train", "-m", *TINY, *ddp, f"output_dir={tmp_path}", "name=ddp", "seed=0,1")
    result = subprocess.run([words[0], "-P", *words[1:]], cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=False)
    assert result.returncode == 0, result.stdout
    run = Run(tmp_path / "ddp_sweep" / "seed=1")
    assert run.is_finished()
    assert len(run.provenance()["sessions"]) == 1


def job(name: str = "a", gpus: int | None = 1) -> Job:
    return Job(sweep=Path("s"), name=name, overrides=[], gpus=gpus)


def test_gpus_are_handed_out_and_given_back():
    slots = DeviceSlots.for_this_machine(9, gpus=[0, 3], on_gpu=True)
    taken = [slots.take(job()) for _ in range(3)]
    assert taken == [[0], [3], None]
    assert slots.environment([3]) == {"CUDA_VISIBLE_DEVICES": "3"}
    slots.free += [3]
    assert slots.take(job(gpus=2)) is None
    slots.free += [0]
    assert sorted(slots.take(job(gpus=2)) or []) == [0, 3]


def test_gpus_are_counted_among_those_that_the_sweep_may_see(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,GPU-1a2b")
    assert DeviceSlots.for_this_machine(9, gpus=[0, 1], on_gpu=True).environment([0, 1]) == {
        "CUDA_VISIBLE_DEVICES": "5,GPU-1a2b"
    }


def test_a_job_that_wants_more_gpus_than_there_are_fails_in_words():
    slots = DeviceSlots.for_this_machine(9, gpus=[0, 1], on_gpu=True)
    ((_, ending),) = JobPool(slots).run([job(gpus=4)])
    assert ending == ("failed", "trainer.devices=4, but the sweep has 2 GPUs to give.")


def test_a_job_whose_time_has_passed_is_stopped_and_neither_done_nor_failed(tmp_path):
    message = Job(sweep=tmp_path, name="a", overrides=[])
    pool = JobPool(DeviceSlots([0], 1, threads=1))
    for words, state in (("Finished. Look at a", "done"), ("Stopped. Its time has passed: go on", "stopped")):
        with message.open_log() as log:
            log.write(f"{words}\n".encode())
        assert pool._result_of(message, 0, 1.0).state == state


def test_a_gpu_can_be_shared_but_not_by_one_job_with_itself():
    slots = DeviceSlots.for_this_machine(9, gpus=[0, 1], jobs_per_gpu=2, on_gpu=True)
    assert slots.take(job(gpus=None)) == [0, 1]
    assert sorted(slots.free) == [0, 1]
    assert slots.take(job()) == [0]
    assert slots.take(job()) == [1]
    assert slots.take(job(gpus=None)) is None  # all of them, not those that happen to be free


def test_cpu_jobs_share_the_threads(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    for chosen, threads in (("3", 3), ("16", 4), ("not a number", 4)):
        monkeypatch.setenv("OMP_NUM_THREADS", chosen)
        assert DeviceSlots.for_this_machine(2, on_gpu=False).threads == threads
    monkeypatch.delenv("OMP_NUM_THREADS")
    slots = DeviceSlots.for_this_machine(2, on_gpu=False)
    assert (len(slots.free), slots.threads) == (2, 4)
    assert slots.environment(slots.take(job(gpus=0)) or []) == {"OMP_NUM_THREADS": "4"}
    assert len(DeviceSlots.for_this_machine(100, on_gpu=False).free) == 4


def test_a_runs_best_value_is_what_a_search_sees(tiny_run):
    best = json.loads(tiny_run.provenance_file.read_text())["best"]
    assert tiny_run.best_value() == best["val/ssim"]


def test_a_search_goes_the_way_that_is_better(tmp_path):
    def study(monitor, mode):
        search: Any = OptunaSearch({})
        search.monitor, search.mode, search.space, search.fixed = monitor, mode, {}, []
        return search._open_study(tmp_path / monitor.replace("/", "_")).direction.name

    assert study("val/score", "max") == "MAXIMIZE"
    assert study("val/edges", "min") == study("val/l1", None) == "MINIMIZE"
    assert study("val/correlation", None) == "MAXIMIZE"
    with pytest.raises(ValueError, match=r"direction: maximize there, minimize here"):
        study("val/score", "min")
    with pytest.raises(ValueError, match=r"val/other: nothing says whether more or less of it is better"):
        study("val/other", None)


@pytest.mark.slow
def test_a_search_goes_on_to_the_number_of_trials_asked_for(tmp_path):
    space = ["generator.base_channels=choice(2,4)", "optimizer.lr=tag(log,interval(0.0001,0.01))"]
    words = ["train", "sweep=search", *TINY, *space, f"output_dir={tmp_path}", "hydra.sweeper.warmup_trials=1"]
    words = [word for word in words if word != "generator.base_channels=4"]
    first = command(*words, "hydra.sweeper.trials=2")
    assert first.returncode == 0, first.stderr
    assert "2 runs, " in first.stdout
    assert "Best val/ssim" in first.stderr + first.stdout
    journal = tmp_path / "search" / "search.journal"
    journal.write_bytes(journal.read_bytes()[:-7])  # as a power cut leaves it
    second = command(*words, "hydra.sweeper.trials=3")
    assert "3 runs, 1 finished, 2 skipped" in second.stdout
    assert len(list((tmp_path / "search").glob("*/config.yaml"))) == 3
    other = command(*words, "hydra.sweeper.trials=3", "objective.l1_weight=7")
    assert "the sweep's directory holds another search" in other.stderr


@pytest.mark.slow
def test_a_search_takes_up_the_runs_that_a_kill_left_in_the_middle(tmp_path):
    words = [
        "train",
        "sweep=search",
        *TINY,
        f"output_dir={tmp_path}",
        "hydra.sweeper.trials=1",
        "trainer.max_epochs=20",
    ]
    with start_command(*words) as process:
        wait_until(lambda: list(tmp_path.glob("search/*/checkpoints/last.ckpt")), process)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    again = command(*words)
    assert again.returncode == 0, again.stderr
    assert "1 runs, 1 finished" in again.stdout
    assert len(list((tmp_path / "search").glob("*/config.yaml"))) == 1


TRACEBACK = """Traceback (most recent call last):
  File "a.py", line 1, in <module>
    raise ValueError
ValueError: the rate is
negative
"""


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("Training.\npix2pix: data.path: no such folder.\nAvailable:\n\tthermal", "data.path: no such folder."),
        (
            "pix2pix: the configuration cannot be run:\n  size=3: too small\n",
            "the configuration cannot be run: size=3: too small",
        ),
        (f"{TRACEBACK}\nleaked semaphores\n", "ValueError: the rate is"),
        (f"pix2pix: first\n\nDuring handling of it:\n\n{TRACEBACK}", "ValueError: the rate is"),
        (f"{TRACEBACK}pix2pix: last\n", "last"),
        ("[rank1]: Traceback (most recent call last):\n[rank1]:   File\n[rank1]: OSError: gone\n", "OSError: gone"),
        ("  1%|# | 1/99\r  2%|# | 2/99\n", "2%|# | 2/99"),
        ("Traceback (most recent call last):\n", "Traceback (most recent call last):"),
        ("", "it left no message"),
        ("\n \n", "it left no message"),
        (f"pix2pix: {'x' * 999}", "x" * 300),
    ],
)
def test_the_table_tells_the_error_of_a_failed_run(message, line):
    assert find_error_line(message) == line


def test_a_damaged_run_does_not_take_the_table_away(tmp_path):
    sweep, one = Sweep(), Job(tmp_path, "a", [])
    one.run.path.mkdir()
    one.run.provenance_file.write_text("")
    sweep.add(one)
    sweep.record_result(one, "failed", "provenance.json is empty")
    assert "1 runs, 1 failed\n  failed    a  provenance.json is empty" in sweep.table()


def test_a_run_that_ends_after_the_sweep_was_checked_is_complete_then(tmp_path):
    words = [*TINY, "trainer.max_epochs=1", f"output_dir={tmp_path}", "name=a"]
    sweep, mine = Sweep(), Job(tmp_path, "a", [])
    sweep.configs[mine.run.path] = make_config(*words)
    assert not sweep.is_complete(mine)
    pix2pix("train", *words)
    assert sweep.is_complete(mine)


def test_each_job_of_a_sweep_is_composed_once(tmp_path, monkeypatch):
    composed, compose = [], ConfigLoaderImpl.load_sweep_config

    def count(*args, **options):
        composed.append(options)
        return compose(*args, **options)

    monkeypatch.setattr(ConfigLoaderImpl, "load_sweep_config", count)
    pix2pix("train", "-m", *TINY, "trainer.max_epochs=1", "seed=1,2", f"output_dir={tmp_path}", "name=a")
    assert len(composed) == 2
