"""Sweeps and a search on a Ray cluster of two nodes, which are processes of this machine: `make test-ray`."""

import importlib.util
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from pix2pix.runs.run import Run
from tests.conftest import TINY, command, same_weights, start_command, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs the extra: pip install 'pix2pix[ray]'"),
    pytest.mark.filterwarnings("default"),  # of Ray's own
]
ROOT = Path(__file__).parents[2]
LENGTH = ["trainer.max_epochs=20", "callbacks.samples.every_n_epochs=100", "logger=csv"]
PAUSE = "+callbacks.pause={_target_: tests.slurm.pause.Pause, seconds: 0.15}"


@contextmanager
def start_ray(cpus_of_head: int, nodes: int) -> Iterator:
    """A cluster with `nodes` nodes of one CPU beside its head."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": cpus_of_head, "num_gpus": 0})
    try:
        cluster.workers = [cluster.add_node(num_cpus=1, num_gpus=0) for _ in range(nodes)]
        yield cluster
    finally:
        cluster.shutdown()


@pytest.fixture
def two_nodes(monkeypatch):
    """A cluster of two nodes of one CPU each, and a head without any."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_worker_niceness", "0")  # by default 15: other programs would come first
    with start_ray(0, nodes=2) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory) -> Run:
    """The training of seed 1 without a break, outside of Ray."""
    folder = tmp_path_factory.mktemp("unbroken")
    result = command("train", *TINY, *LENGTH, "seed=1", f"output_dir={folder}", "name=run")
    assert result.returncode == 0, result.stderr
    return Run(folder / "run")


def words_on(cluster) -> list[str]:
    return [*TINY, *LENGTH, "hydra/launcher=ray", f"hydra.launcher.address={cluster.address}", "name=mine"]


def training_of(run: Run) -> psutil.Process:
    """The process that trains a run."""
    marks = f"run_dir='{run.path.relative_to(run.path.parents[2])}'"
    return next(each for each in psutil.process_iter(["cmdline"]) if marks in (each.info["cmdline"] or []))


def starts(run: Run) -> int:
    return len(run.provenance()["sessions"])


def test_a_sweep_runs_on_both_nodes_and_ends_with_a_table(two_nodes, unbroken, tmp_path):
    result = command("train", "-m", *words_on(two_nodes), "seed=1,2", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "2 runs, 2 at once" in result.stderr
    assert "2 runs, 2 finished" in result.stdout
    assert same_weights(Run(tmp_path / "outputs/mine_sweep/seed=1"), unbroken)


@pytest.mark.parametrize("lost", ["node", "worker"])
def test_when_a_node_or_its_worker_is_killed_the_run_goes_on_elsewhere(two_nodes, unbroken, tmp_path, lost):
    run = Run(tmp_path / "outputs/mine_sweep/seed=1")
    words = ["-m", *words_on(two_nodes), PAUSE, "seed=range(1,2)", "hydra.launcher.jobs=1"]
    with start_command("train", *words, cwd=tmp_path) as sweep:
        wait_until(run.resume_checkpoints, sweep)
        training = training_of(run)
        worker = training.parent()
        assert worker is not None
        if lost == "worker":
            worker.kill()
        else:
            raylets = [next(p for p in node.all_processes["raylet"]) for node in two_nodes.workers]
            pids = {raylet.process.pid: node for raylet, node in zip(raylets, two_nodes.workers, strict=True)}
            node = next(pids[parent.pid] for parent in worker.parents() if parent.pid in pids)
            two_nodes.remove_node(node, allow_graceful=False)
        began = time.monotonic()
        wait_until(lambda: starts(run) == 2, sweep)
        print(f"\n[measured] {lost} killed, until the run goes on: {time.monotonic() - began:.0f} s", flush=True)
        assert not training.is_running()
        said, complaints = sweep.communicate(timeout=300)
    assert "1 runs, 1 finished" in said, complaints
    assert starts(run) == 2
    assert same_weights(run, unbroken)


def test_a_stopped_sweep_has_saved_and_the_same_command_resumes_it(two_nodes, unbroken, tmp_path):
    run = Run(tmp_path / "outputs/mine_sweep/seed=1")
    words = ["-m", *words_on(two_nodes), PAUSE, "seed=range(1,2)"]
    with start_command("train", *words, cwd=tmp_path) as sweep:
        wait_until(run.resume_checkpoints, sweep)
        sweep.send_signal(signal.SIGTERM)
        said, complaints = sweep.communicate(timeout=120)
    assert "1 runs, 1 stopped" in said, complaints
    assert "SIGTERM" in said
    assert "1 runs, 1 finished" in command("train", *words, cwd=tmp_path).stdout
    assert starts(run) == 2
    assert same_weights(run, unbroken)


def test_a_search_prunes_on_the_cluster(two_nodes, tmp_path):
    search = ["hydra.sweeper.trials=5", "hydra.sweeper.warmup_trials=1", "hydra.sweeper.warmup_epochs=1"]
    space = ["optimizer.lr=tag(log,interval(0.0000001,0.01))", "hydra.launcher.jobs=1"]  # the last one learns nothing
    result = command("train", "sweep=search", *words_on(two_nodes), PAUSE, *search, *space, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "5 runs, 3 finished, 2 pruned" in result.stdout
    assert "Best val/ssim" in result.stderr


def test_without_a_cluster_the_sweep_is_refused_in_words(tmp_path):
    words = ["-m", *TINY, "seed=1,2", "hydra/launcher=ray", "hydra.launcher.address=127.0.0.1:9"]
    result = command("train", *words, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert result.returncode == 1
    assert "no Ray cluster answers" in result.stderr
