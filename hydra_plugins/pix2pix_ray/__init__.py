"""Hydra launcher plugin for Ray: runs each job of a sweep or of a search as a process on a node of a Ray cluster.

hydra-ray-launcher cannot connect to a cluster that runs already, cannot stop a job so that it saves, and cannot prune.
Hydra imports this module for every command. No `from __future__ import annotations`: Hydra reads the signatures.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hydra_plugins.pix2pix_processes import ProcessLauncher

if TYPE_CHECKING:
    from pix2pix.runs.device_slots import DeviceSlots
    from pix2pix.runs.sweep import Job


class RayLauncher(ProcessLauncher):
    """Runs each job in a process of its own, on a node that Ray chooses.

    Args:
        jobs: number of jobs at once; None for as many as fit on the nodes that there are.
        cpus: CPUs that each job takes.
        address: of the cluster; `auto` for the one that this machine is a node of.
    """

    def __init__(self, jobs: int | None = None, cpus: int = 1, address: str = "auto") -> None:
        super().__init__(jobs)
        if type(cpus) is not int or cpus < 1:
            raise ValueError(f"hydra.launcher.cpus={cpus}: must be a whole number of at least 1.")
        self.cpus, self.address = cpus, address

    def slots(self, jobs: "Sequence[Job]") -> "DeviceSlots":
        """Room on the nodes of the cluster for these jobs."""
        from pix2pix.runs.ray_process import RaySlots

        return RaySlots.for_cluster(self.address, jobs, self.jobs, self.cpus)
