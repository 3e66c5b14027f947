"""Finds out who has started the processes of a training."""

import os

from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.lsf import LSFEnvironment
from lightning_fabric.plugins.environments.mpi import MPIEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment

from pix2pix.config.schema import RunConfig, TrainerSettings


def find_cluster(config: RunConfig) -> ClusterEnvironment:
    """The program that started this training's processes: torchrun, srun, LSF, MPI, or the training itself.

    Lightning's own guess is wrong in a job of Slurm's that does not use srun: it would wait for processes that nobody
    starts. A single process is the same everywhere; Lightning would refuse it in a job of several tasks.

    Raises ValueError if processes on other nodes are missing, or if Slurm was not told how many each node has.
    """
    if config.is_single_process:
        return LightningEnvironment()
    if TorchElasticEnvironment.detect():
        return TorchElasticEnvironment()
    if int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) > 1:  # srun sets it, and counts what it has started
        return _slurm()
    others = (kind() for kind in (LSFEnvironment, MPIEnvironment) if kind.detect())
    return next(others, None) or _own(config)


def _slurm() -> SLURMEnvironment:
    try:
        return SLURMEnvironment()
    except RuntimeError as error:  # Lightning's error says what to do
        raise ValueError(f"the trainer cannot run here: {error}") from error


def _own(config: RunConfig) -> LightningEnvironment:
    nodes = TrainerSettings.of(config.trainer).num_nodes
    if nodes > 1 and not {"MASTER_ADDR", "NODE_RANK"} <= set(os.environ):
        raise ValueError(
            f"trainer.num_nodes={nodes}, but nothing has started processes on other nodes. Start them by srun "
            "(scripts/slurm_multinode.sbatch) or torchrun (scripts/torchrun.sh); or set MASTER_ADDR, MASTER_PORT and "
            "NODE_RANK on each node yourself."
        )
    return LightningEnvironment()
