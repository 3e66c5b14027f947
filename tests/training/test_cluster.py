"""Where Slurm is installed, and inside its jobs, a training knows which program has started its processes."""

import pytest
import pytorch_lightning as pl
from pytorch_lightning.plugins.environments import LightningEnvironment, SLURMEnvironment, TorchElasticEnvironment

from pix2pix.runs.run import Run
from pix2pix.training.build import build_trainer
from pix2pix.training.cluster import find_cluster
from tests.conftest import TINY, make_config, pix2pix
from tests.small import fit, module

JOB = {"SLURM_JOB_ID": "77", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0", "SLURM_JOB_NAME": "night"}
STEP = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "2", "SLURM_NNODES": "2"}
TORCHRUN = {"TORCHELASTIC_RUN_ID": "1", "RANK": "0", "WORLD_SIZE": "4", "LOCAL_RANK": "0", "GROUP_RANK": "0"}
DDP = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"]


@pytest.fixture(autouse=True)
def _srun_is_installed(tmp_path, monkeypatch):
    srun = tmp_path / "srun"
    srun.write_text("#!/bin/sh\n")
    srun.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")


def set_variables(monkeypatch, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.filterwarnings("error:.*srun.*")
@pytest.mark.parametrize(
    "variables",
    [
        {},
        JOB | {"SLURM_NTASKS": "1", "SLURM_JOB_NAME": "bash"},
        JOB | {"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "interactive"},
        JOB | {"SLURM_NTASKS": "4"},
        JOB | STEP,
    ],
)
def test_one_process_trains_where_slurm_is_installed_as_anywhere_else(tmp_path, monkeypatch, variables):
    set_variables(monkeypatch, variables)
    trainer = build_trainer(make_config(*TINY, "logger=csv"), Run(tmp_path / "run"))
    assert (trainer.world_size, trainer.global_rank) == (1, 0)
    assert isinstance(trainer._accelerator_connector.cluster_environment, LightningEnvironment)


@pytest.mark.filterwarnings("error:.*srun.*")
def test_a_training_where_slurm_is_installed_does_not_warn(tmp_path, capsys):
    pix2pix("train", *TINY, f"output_dir={tmp_path}", "name=run", "logger=csv", "trainer.max_epochs=1")
    assert "srun" not in "".join(capsys.readouterr())


def test_the_warning_about_srun_fails_no_test_of_a_plain_trainer():
    fit(module(), max_epochs=1)
    pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, LightningEnvironment),
        (JOB | {"SLURM_NTASKS": "1"}, LightningEnvironment),
        (JOB | {"SLURM_NTASKS": "2"}, LightningEnvironment),  # a batch script without srun: nobody starts the second
        (JOB | STEP | {"SLURM_STEP_NUM_TASKS": "1"}, LightningEnvironment),  # `srun --pty bash`
        (JOB | STEP, SLURMEnvironment),
        (JOB | STEP | {"SLURM_JOB_NAME": "interactive"}, SLURMEnvironment),  # srun in a shell of salloc's
        (JOB | STEP | TORCHRUN, TorchElasticEnvironment),  # an agent on each node, by srun
    ],
)
def test_several_processes_are_those_of_the_program_that_started_them(monkeypatch, variables, expected):
    set_variables(monkeypatch, variables)
    assert type(find_cluster(make_config(*TINY, *DDP))) is expected


def test_srun_is_to_be_told_how_many_processes_a_node_has(monkeypatch):
    set_variables(monkeypatch, JOB | {"SLURM_STEP_NUM_TASKS": "4", "SLURM_NTASKS": "4"})
    with pytest.raises(ValueError, match="--ntasks-per-node=4"):
        find_cluster(make_config(*TINY, *DDP))


def test_several_nodes_without_anything_that_starts_processes_there_are_refused(monkeypatch):
    config = make_config(*TINY, *DDP, "trainer.num_nodes=2")
    with pytest.raises(ValueError, match=r"trainer\.num_nodes=2, but nothing has started processes on other nodes"):
        find_cluster(config)
    set_variables(monkeypatch, {"MASTER_ADDR": "host1", "NODE_RANK": "1"})
    assert type(find_cluster(config)) is LightningEnvironment
