"""Trainings on a real Slurm, of Debian's packages: `make test-slurm`, as root. Each kill ends with the same weights."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pix2pix.runs.run import Run
from tests.conftest import TINY, same_weights
from tests.slurm.cluster import Cluster, missing, start_cluster

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "slurm_multinode.sbatch"
LENGTH = ["trainer.max_epochs=40", "callbacks.samples.every_n_epochs=100", "logger=csv"]  # 240 steps of one process
ONE = "seed=range(1,2)"  # a sweep of one run
PAUSE = "+callbacks.pause={{_target_: tests.slurm.pause.Pause, seconds: {}}}"
WORDS = [*TINY, *LENGTH, PAUSE.format(0.15)]
# Slurm looks at limits every 30 s, and signals a job of two minutes from 75 s on. These trainings last longer.
LONG, LONG_ON_NODES = PAUSE.format(0.5), PAUSE.format(1.2)
LAUNCHER = ["hydra/launcher=slurm", "hydra.launcher.timeout_min=30"]

pytestmark = [pytest.mark.slow, pytest.mark.skipif(missing() is not None, reason=missing() or "")]


@pytest.fixture(scope="module")
def cluster():
    with start_cluster(nodes=2) as started:
        started.environment |= {"PYTHONPATH": str(ROOT), "PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
        started.environment |= {"MASTER_ADDR": "127.0.0.1"}  # n1 and n2 are names of Slurm's alone
        yield started


@pytest.fixture(autouse=True)
def _no_jobs_of_other_tests(cluster):
    yield
    cluster.ask("scancel", "--user=root")
    cluster.wait_for(lambda: not jobs_of(cluster))


@pytest.fixture(scope="module")
def unbroken(cluster, tmp_path_factory) -> Run:
    """The training of seed 1 without a break, outside of Slurm."""
    folder = tmp_path_factory.mktemp("unbroken")
    result = train(cluster, folder, *TINY, *LENGTH, "seed=1", "name=run")
    assert result.returncode == 0, result.stderr
    return Run(folder / "outputs" / "run")


def call(*words: str) -> list[str]:
    return [sys.executable, "-m", "pix2pix.cli", "train", *words]


def train(cluster: Cluster, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    options = {"capture_output": True, "text": True, "timeout": 900}
    return subprocess.run(call(*words), cwd=folder, env=cluster.environment, check=False, **options)


def start(cluster: Cluster, folder: Path, *words: str) -> subprocess.Popen[str]:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(call(*words), cwd=folder, env=cluster.environment, **pipes)


def has_checkpoint(run: Run) -> bool:
    return bool(run.resume_checkpoints())


def starts(run: Run) -> int:
    return len(run.provenance()["sessions"])


def jobs_of(cluster: Cluster) -> list[str]:
    return cluster.ask("squeue", "-h", "-r", "-o", "%i").split()


def report(what: str, began: float) -> None:
    """A line for docs/clusters.md; pytest shows it with -s."""
    print(f"\n[measured] {what}: {time.monotonic() - began:.0f} s", flush=True)


def test_a_sweep_is_a_job_array_and_ends_with_a_table(cluster, unbroken, tmp_path):
    words = ["-m", *TINY, *LENGTH, "seed=1,2", *LAUNCHER, "name=mine"]
    began = time.monotonic()
    result = train(cluster, tmp_path, *words)
    report("sweep of two runs", began)
    assert result.returncode == 0, result.stderr
    assert "2 runs, 2 finished" in result.stdout
    assert "sacct" not in result.stderr
    assert same_weights(Run(tmp_path / "outputs/mine_sweep/seed=1"), unbroken)
    again = train(cluster, tmp_path, *words)
    assert "2 runs, 2 skipped" in again.stdout
    assert "0 submitted now" in again.stderr


def test_a_detached_sweep_returns_and_the_same_command_goes_on_with_it(cluster, tmp_path):
    words = ["-m", *WORDS, "seed=1,2", *LAUNCHER, "hydra.launcher.detach=true", "name=mine"]
    submitted = train(cluster, tmp_path, *words)
    assert submitted.returncode == 0, submitted.stderr
    assert "2 runs, 2 " in submitted.stdout
    run = Run(tmp_path / "outputs/mine_sweep/seed=1")
    cluster.wait_for(lambda: has_checkpoint(run))
    shown = train(cluster, tmp_path, *words)
    assert "2 runs, 2 running" in shown.stdout
    assert "0 submitted now" in shown.stderr
    waited = train(cluster, tmp_path, *words, "hydra.launcher.detach=false")
    assert "2 runs, 2 finished" in waited.stdout
    assert starts(run) == 1
    assert "2 runs, 2 skipped" in train(cluster, tmp_path, *words).stdout


def test_a_job_at_its_time_limit_is_requeued_and_resumes_to_the_same_weights(cluster, unbroken, tmp_path):
    limit = ["hydra/launcher=slurm", "hydra.launcher.timeout_min=2", "hydra.launcher.signal_delay_s=15"]
    began = time.monotonic()
    result = train(cluster, tmp_path, "-m", *TINY, *LENGTH, LONG, ONE, *limit, "name=mine")
    report("job with a limit of two minutes", began)
    assert result.returncode == 0, result.stderr
    run = Run(tmp_path / "outputs/mine_sweep/seed=1")
    assert starts(run) > 1
    assert same_weights(run, unbroken)


def test_a_cancelled_job_has_saved_and_the_same_command_resumes_it(cluster, unbroken, tmp_path):
    words = ["-m", *WORDS, ONE, *LAUNCHER, "name=mine"]
    run = Run(tmp_path / "outputs/mine_sweep/seed=1")
    with start(cluster, tmp_path, *words) as waiting:
        cluster.wait_for(lambda: has_checkpoint(run))
        began = time.monotonic()
        cluster.ask("scancel", *jobs_of(cluster))
        said, complaints = waiting.communicate(timeout=120)
    report("scancel, until the command ends", began)
    assert waiting.returncode == 1
    assert "1 runs, 1 stopped" in said, complaints
    assert "run the same command again" in said
    assert "1 runs, 1 finished" in train(cluster, tmp_path, *words).stdout
    assert starts(run) == 2
    assert same_weights(run, unbroken)


def test_a_killed_node_costs_the_steps_since_the_last_checkpoint(cluster, unbroken, tmp_path):
    run = Run(tmp_path / "outputs/mine_sweep/seed=1")
    with start(cluster, tmp_path, "-m", *WORDS, ONE, *LAUNCHER, "name=mine") as waiting:
        cluster.wait_for(lambda: has_checkpoint(run))
        node = cluster.ask("squeue", "-h", "-o", "%N").strip()
        cluster.kill_node(node)
        began = time.monotonic()
        cluster.wait_for(lambda: starts(run) == 2)
        report("killed node, until the run goes on elsewhere", began)
        cluster.start_node(node)
        said, complaints = waiting.communicate(timeout=600)
    assert "1 runs, 1 finished" in said, complaints
    assert same_weights(run, unbroken)


@pytest.fixture(scope="module")
def four(cluster, tmp_path_factory) -> Run:
    """The training of four processes without a break, outside of Slurm."""
    folder = tmp_path_factory.mktemp("four")
    ddp = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=4", "data.batch_size=1"]
    result = train(cluster, folder, *TINY, *LENGTH, *ddp, "name=run")
    assert result.returncode == 0, result.stderr
    return Run(folder / "outputs" / "run")


def submit(cluster: Cluster, folder: Path, *options: str, pause: str = PAUSE.format(0.15)) -> str:
    """Submits the training of four processes on two nodes."""
    request = ["--nodes=2", "--ntasks-per-node=2", "--gpus-per-node=0", "--cpus-per-task=1", *options]
    words = [*TINY, *LENGTH, pause, "trainer.accelerator=cpu", "data.batch_size=1", "name=run"]
    return cluster.submit(*request, str(SCRIPT), *words, cwd=folder)


def wait_for_end(cluster: Cluster, job: str, folder: Path) -> None:
    cluster.wait_for(lambda: cluster.state(job) in {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT"}, 600)
    assert cluster.state(job) == "COMPLETED", "".join(log.read_text() for log in folder.glob("*.log"))


def test_one_training_on_two_nodes_is_that_of_four_processes_on_one(cluster, four, tmp_path):
    began = time.monotonic()
    job = submit(cluster, tmp_path)
    wait_for_end(cluster, job, tmp_path)
    report("one training on two nodes", began)
    assert same_weights(Run(tmp_path / "outputs/run"), four)


def test_a_training_on_two_nodes_is_requeued_at_its_time_limit(cluster, four, tmp_path):
    job = submit(cluster, tmp_path, "--time=2", "--signal=TERM@15", pause=LONG_ON_NODES)
    wait_for_end(cluster, job, tmp_path)
    run = Run(tmp_path / "outputs/run")
    assert starts(run) > 1
    assert same_weights(run, four)


def test_a_training_on_two_nodes_goes_on_when_a_killed_node_is_back(cluster, four, tmp_path):
    job = submit(cluster, tmp_path)
    run = Run(tmp_path / "outputs/run")
    cluster.wait_for(lambda: has_checkpoint(run))
    cluster.kill_node("n2")
    began = time.monotonic()
    cluster.wait_for(lambda: cluster.state(job) == "PENDING")
    report("killed node of two, until the job is in the queue again", began)
    cluster.start_node("n2")
    began = time.monotonic()
    cluster.wait_for(lambda: starts(run) == 2)
    report("node back, until the training goes on", began)
    wait_for_end(cluster, job, tmp_path)
    assert same_weights(run, four)


def test_a_batch_script_without_srun_starts_its_own_processes(cluster, tmp_path):
    ddp = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "data.batch_size=1"]
    words = " ".join(f"'{word}'" for word in call(*TINY, "trainer.max_epochs=1", *ddp, "name=run"))
    job = cluster.submit("--ntasks=2", "--output=out.log", f"--wrap={words}", cwd=tmp_path)
    wait_for_end(cluster, job, tmp_path)
    assert re.search(r"epoch 1/1  step 6/6", (tmp_path / "out.log").read_text())
