"""One training on two hosts, in network namespaces of this machine: `make test-hosts`, as root."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pix2pix.runs.run import Run
from tests.conftest import TINY, same_weights, wait_until
from tests.hosts.hosts import Hosts, make_hosts, missing

ROOT = Path(__file__).parents[2]
LENGTH = ["trainer.max_epochs=12", "callbacks.samples.every_n_epochs=100", "logger=csv", "data.batch_size=1"]
PAUSE = "+callbacks.pause={_target_: tests.slurm.pause.Pause, seconds: 0.2}"
TIMEOUT_MINUTES = 0.5  # for which a host waits for the other
WAIT = f"trainer.strategy.timeout_minutes={TIMEOUT_MINUTES}"

pytestmark = [pytest.mark.slow, pytest.mark.skipif(missing() is not None, reason=missing() or "")]


@pytest.fixture(scope="module")
def hosts():
    with make_hosts() as made:
        yield made


@pytest.fixture(scope="module")
def one_host(tmp_path_factory) -> Run:
    """The training of two processes on one host, without a break."""
    folder = tmp_path_factory.mktemp("one")
    words = [*TINY, *LENGTH, "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "name=run"]
    subprocess.run([sys.executable, "-m", "pix2pix.cli", "train", *words], cwd=folder, check=True)
    return Run(folder / "outputs" / "run")


def start(hosts: Hosts, name: str, folder: Path, *words: str, nodes: int = 2) -> subprocess.Popen[str]:
    """Starts the training's process of a host, by torchrun."""
    variables = {"NODES": str(nodes), "DEVICES": "1", "MAIN": "host1:29400", "PYTHON": sys.executable}
    environment = os.environ | variables | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    call = [str(ROOT / "scripts" / "torchrun.sh"), *TINY, *LENGTH, "trainer.accelerator=cpu", WAIT, "name=run", *words]
    return hosts.start(name, *call, cwd=folder, env=environment)


def finish(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        said, _ = process.communicate(timeout=600)
        assert process.returncode == 0, said


def end_after(process: subprocess.Popen[str], what: str) -> str:
    """Waits for the end of a process, and prints how long that took: a line for docs/clusters.md."""
    began = time.monotonic()
    said, _ = process.communicate(timeout=300)
    print(f"\n[measured] {what}: {time.monotonic() - began:.0f} s", flush=True)
    assert process.returncode != 0
    return said


def test_two_hosts_train_the_weights_of_one(hosts, one_host, tmp_path):
    finish(*(start(hosts, name, tmp_path) for name in ("host1", "host2")))
    assert same_weights(Run(tmp_path / "outputs/run"), one_host)


@pytest.mark.parametrize("lost", ["host2", "host1"])
def test_when_a_host_dies_the_other_says_so_and_both_go_on_later(hosts, one_host, tmp_path, lost):
    run = Run(tmp_path / "outputs/run")
    processes = {name: start(hosts, name, tmp_path, PAUSE) for name in ("host1", "host2")}
    wait_until(run.resume_checkpoints, processes["host1"])
    dead, left = processes.pop(lost), *processes.values()
    dead.kill()
    dead.communicate()
    said = end_after(left, f"{lost} dies, until the other has ended")
    assert "another process of this training has ended" in said, said
    finish(*(start(hosts, name, tmp_path) for name in ("host1", "host2")))
    assert same_weights(run, one_host)


def test_when_a_host_loses_its_network_the_other_ends_in_time_and_both_go_on_later(hosts, one_host, tmp_path):
    run = Run(tmp_path / "outputs/run")
    first, second = (start(hosts, name, tmp_path, PAUSE) for name in ("host1", "host2"))
    wait_until(run.resume_checkpoints, first)
    hosts.unplug("host2")
    try:
        said = end_after(first, "no network, until host1 has ended")
    finally:
        hosts.plug_in("host2")
    assert "another process of this training has ended" in said, said
    end_after(second, "network back, until torchrun on host2 has ended")  # its training had ended as host1's
    finish(*(start(hosts, name, tmp_path) for name in ("host1", "host2")))
    assert same_weights(run, one_host)


def test_a_training_goes_from_two_hosts_to_one_and_back(hosts, tmp_path):
    run = Run(tmp_path / "outputs/run")
    first, second = (start(hosts, name, tmp_path, PAUSE) for name in ("host1", "host2"))
    wait_until(run.resume_checkpoints, first)
    second.kill()
    second.communicate()
    end_after(first, "host2 dies, until the other has ended")
    alone = start(hosts, "host1", tmp_path, "data.batch_size=2", "trainer.max_epochs=16", nodes=1)
    said, _ = alone.communicate(timeout=600)
    assert alone.returncode == 0, said
    assert "Resuming with 1 process instead of 2, 2 pairs a step" in said
    again = [start(hosts, name, tmp_path, "trainer.max_epochs=20") for name in ("host1", "host2")]
    said, _ = again[0].communicate(timeout=600)
    finish(again[1])
    assert again[0].returncode == 0, said
    assert "Resuming with 2 processes instead of 1, 2 pairs a step" in said
