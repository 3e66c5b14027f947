"""Sweeps on clusters, through the launchers that others keep: submitit for real on this machine, Slurm by stand-ins."""

import importlib.util
import os
import stat

import pytest

from pix2pix.runs.run import Run
from tests.conftest import TINY, command

WORDS = [word for word in TINY if "receptive_field" not in word]
needs_submitit = pytest.mark.skipif(
    importlib.util.find_spec("submitit") is None, reason="needs the extra: pip install 'pix2pix[slurm]'"
)

SBATCH = """#!/usr/bin/env bash
# Takes a job array as Slurm's sbatch does, keeps the script, and runs its tasks here, one after the other.
cp "${@: -1}" "$STANDIN/submitted.sh"
echo "Submitted batch job 77"
last=$(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\).*/\\1/p' "$STANDIN/submitted.sh")
(for task in $(seq 0 "$last"); do
    env SLURM_JOB_ID=$((78 + task)) SLURM_ARRAY_JOB_ID=77 SLURM_ARRAY_TASK_ID=$task SLURM_JOB_NUM_NODES=1 \\
        SLURM_NTASKS=1 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NODEID=0 SLURM_JOB_NODELIST=localhost \\
        bash "$STANDIN/submitted.sh"
    touch "$STANDIN/ended_$task"
done) >"$STANDIN/out" 2>&1 </dev/null &
"""
SRUN = """#!/usr/bin/env bash
while [[ "$1" == -* ]]; do case "$1" in --output|--error) shift 2;; *) shift;; esac; done
exec "$@"
"""
SQUEUE = """#!/usr/bin/env bash
for task in 0 1; do
    state=RUNNING; [ -e "$STANDIN/ended_$task" ] && state=COMPLETED
    echo "77_$task $state"
done
"""


@pytest.fixture
def slurm(tmp_path):
    """An environment in which Slurm's commands are stand-ins."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, script in (("sbatch", SBATCH), ("srun", SRUN), ("squeue", SQUEUE), ("scancel", "#!/bin/sh\n")):
        (folder / name).write_text(script)
        (folder / name).chmod(0o755 | stat.S_IEXEC)
    return os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "STANDIN": str(tmp_path)}


@pytest.mark.slow
@needs_submitit
def test_submitit_runs_a_sweep_on_this_machine(tmp_path):
    words = ["train", "-m", *WORDS, "discriminator=pixel,patch16", "trainer.max_epochs=1", "name=local"]
    result = command(*words, "hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "2 runs, 2 finished" in result.stdout
    assert Run(tmp_path / "outputs" / "local_sweep" / "discriminator=pixel").is_finished()


@needs_submitit
@pytest.mark.slow
def test_a_failing_job_under_submitit_is_in_the_table_with_its_error(tmp_path):
    words = ["train", "-m", "data=folder", "data.path=gone", "data.size=64", "seed=1,2", "name=failing"]
    result = command(*words, "hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5", cwd=tmp_path)
    assert result.returncode == 1
    assert "2 runs, 2 failed" in result.stdout
    assert "FileNotFoundError: no folder" in result.stdout


@needs_submitit
def test_slurm_is_asked_for_what_was_said(tmp_path, slurm):
    request = [
        "timeout_min=90",
        "gpus_per_node=1",
        "cpus_per_task=4",
        "mem_gb=16",
        "partition=gpu",
        "array_parallelism=2",
    ]
    launcher = ["hydra/launcher=slurm", *(f"hydra.launcher.{setting}" for setting in request)]
    words = ["train", "-m", *WORDS, "discriminator=pixel,patch16", "trainer.max_epochs=1", "name=slurm"]
    result = command(*words, *launcher, cwd=tmp_path, env=slurm)
    assert result.returncode == 0, result.stderr + (tmp_path / "out").read_text()
    assert "2 runs, 2 finished" in result.stdout
    script = (tmp_path / "submitted.sh").read_text()
    for line in ("time=90", "gpus-per-node=1", "cpus-per-task=4", "mem=16GB", "partition=gpu", "array=0-1%2"):
        assert f"#SBATCH --{line}\n" in script
    assert "#SBATCH --signal=USR2@" in script  # before the time limit, so that the job can requeue itself
