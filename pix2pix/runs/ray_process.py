"""Runs the jobs of a sweep on a Ray cluster, each as a process on one of its nodes.

A job is the command line that it is on one machine, so that it may be stopped, pruned and resumed in the same way. Ray
chooses the node, and starts the command again on another one if the node or Ray's own process there dies.
"""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pix2pix.core.cpu_cores import THREADS_VARIABLE
from pix2pix.core.extras import RAY, import_extra
from pix2pix.core.processes import KILL
from pix2pix.runs.device_slots import DeviceSlots
from pix2pix.runs.job_process import NewProcess
from pix2pix.runs.sweep import Job

GPU_VARIABLES = "_VISIBLE_DEVICES"  # the end of the names of variables by which Ray gives GPUs
CONNECT_SECONDS = 10.0
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None  # loaded before any fork


def import_ray() -> Any:
    """Ray. Raises MissingExtraError where it is not installed."""
    return import_extra(*RAY)


class NodeRunner:
    """Runs the command of a job on a node, in a process of Ray's there."""

    def __init__(self) -> None:
        self.process: NewProcess | None = None
        self.stop_signal: int | None = None  # one that came before the process was started

    def run(self, job: Job, folder: Path, environment: Mapping[str, str]) -> int:
        """Runs the job in a folder that all nodes see, and returns its exit code."""
        os.chdir(folder)
        given = {name: value for name, value in os.environ.items() if name.endswith(GPU_VARIABLES)}
        options: dict[str, Any] = {"env": {**environment, **given}, "start_new_session": True}
        with job.open_log() as out:
            if self.stop_signal is not None:
                return -self.stop_signal
            options |= {"stdout": out, "stderr": subprocess.STDOUT, "preexec_fn": _die_with_parent}
            process = self.process = NewProcess(job.command(), **options)
        return process.wait()

    def signal(self, number: int) -> None:
        """Sends a signal to the job and to the processes that it started."""
        self.stop_signal = number
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.signal(number)


def _die_with_parent() -> None:
    """Lets the kernel kill this process with its parent: its run goes on elsewhere, which must not find it locked."""
    if _libc is not None:
        _libc.prctl(DIE_WITH_PARENT, signal.SIGKILL)


class RayProcess:
    """The process of a job on a node, as a pool uses it.

    Args:
        job: what to run.
        environment: its variables.
        cpus: that it takes of its node.
        gpus: that it takes of its node.
    """

    def __init__(self, job: Job, environment: Mapping[str, str], cpus: int, gpus: int) -> None:
        self.ray = ray = import_ray()
        self.job, self.code = job, None
        often: dict[str, Any] = {"max_restarts": -1, "max_task_retries": -1}
        runner = ray.remote(NodeRunner).options(num_cpus=cpus, num_gpus=gpus, max_concurrency=2, **often)
        self.runner = runner.remote()
        self.end = self.runner.run.remote(job, Path.cwd(), environment)

    def poll(self) -> int | None:
        """The exit code; None while the process runs or waits for a node."""
        if self.code is None and self.ray.wait([self.end], timeout=0)[0]:
            try:
                self.code = self.ray.get(self.end)
            except self.ray.exceptions.ActorDiedError:  # by `signal`
                self.code = -KILL
            except self.ray.exceptions.RayError as error:
                self.job.write_log(str(error))
                self.code = 1
            self.ray.kill(self.runner)  # gives back its CPUs and GPUs
        return self.code

    def wait(self, timeout: float) -> None:
        """Waits for the end of the process. Raises subprocess.TimeoutExpired."""
        if not self.ray.wait([self.end], timeout=timeout)[0]:
            raise subprocess.TimeoutExpired(self.job.name, timeout)

    def signal(self, number: int) -> None:
        """Sends a signal to the process and to those that it started."""
        if number == KILL:
            self.ray.kill(self.runner)
        else:
            self.runner.signal.remote(number)


@dataclass
class RaySlots(DeviceSlots):
    """As many slots as jobs fit on the nodes of a Ray cluster.

    Args:
        gpus: that each job takes.
    """

    gpus: int = 0

    @classmethod
    def for_cluster(cls, address: str, jobs: Sequence[Job], at_once: int | None, cpus: int) -> Self:
        """Connects to a cluster, and counts the slots for jobs of `cpus` CPUs each.

        Raises:
            ValueError: if there is no cluster, or no node on which a job fits.
        """
        ray = import_ray()
        try:
            _require_answer(address)
            ray.init(address, log_to_driver=False, logging_level="warning", ignore_reinit_error=True)
        except (OSError, ValueError) as error:
            raise ValueError(
                f"hydra.launcher.address={address}: no Ray cluster answers ({error}). Start one with "
                "`ray start --head`, or give the address of one, such as hydra.launcher.address=HOST:6379."
            ) from error
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        gpus = _gpus_of_a_job(jobs) if any(node.get("GPU") for node in nodes) else 0
        fitting = sum(_count_fitting(node, cpus, gpus) for node in nodes)
        if not fitting:
            raise ValueError(
                f"hydra.launcher.cpus={cpus} with {gpus} GPUs a run: no node of the Ray cluster has as many. Ask for "
                "fewer, or start nodes with more."
            )
        count = at_once or fitting
        return cls(list(range(count)), count, cpus, gpus)

    def start(self, job: Job, slots: list[int]) -> RayProcess:
        """Starts a job where Ray finds room for it."""
        mine = {name: value for name, value in os.environ.items() if not name.endswith(GPU_VARIABLES)}
        return RayProcess(job, {THREADS_VARIABLE: str(self.threads)} | mine, self.threads or 1, self.gpus)


def _require_answer(address: str) -> None:
    """Raises OSError if nothing listens at HOST:PORT: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if port.isdecimal():
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()


def _gpus_of_a_job(jobs: Sequence[Job]) -> int:
    """How many GPUs the largest of these jobs takes. Raises ValueError for one that takes all of its machine's."""
    if any(job.gpus is None for job in jobs):
        raise ValueError("On a Ray cluster each run says how many GPUs it takes, as trainer.devices=2.")
    return max(job.gpus or 0 for job in jobs)


def _count_fitting(node: Mapping[str, float], cpus: int, gpus: int) -> int:
    fitting = node.get("CPU", 0) // cpus
    return int(min(fitting, node.get("GPU", 0) // gpus) if gpus else fitting)
