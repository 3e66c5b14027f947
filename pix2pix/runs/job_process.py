"""Starts the process of a sweep's job: a fork of a process that has imported everything, or else a new one.

Of a short job most of the processor time goes into imports. multiprocessing's fork server does them once for a sweep;
a job then is a fork of it. Only on Linux, where forking is safe before threads and GPUs are in use, and only for jobs
on the CPU: CUDA has to find its devices in the process that uses them.
"""

import atexit
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Protocol

import psutil

from pix2pix.core.cpu_cores import THREADS_VARIABLE
from pix2pix.core.processes import signal_tree
from pix2pix.core.signals import STOP_SIGNALS
from pix2pix.runs.sweep import Job

COMMAND = "pix2pix.cli"
# What a training imports before its first step, by name: this package may not import those that build on it.
PRELOAD = [
    "pix2pix.runs.fork_server",
    *("pix2pix.cli.main", "pix2pix.cli.launch", "pix2pix.cli.show", "pix2pix.config.check", "pix2pix.training.train"),
    *("pix2pix.data.sources.folder", "pix2pix.data.sources.synthetic.pairs", "pix2pix.training.callbacks.nan_guard"),
    *("pix2pix.training.callbacks.progress_bar", "pix2pix.training.callbacks.results_table"),
    *("pix2pix.training.callbacks.samples", "pix2pix.training.loggers.csv", "pix2pix.training.loggers.tensorboard"),
    *("hydra._internal.hydra", "hydra._internal.instantiate._instantiate2", "torch._dynamo"),
    *("PIL.JpegImagePlugin", "PIL.PngImagePlugin"),
]
SERVER_ENDED = 255  # multiprocessing's exit code of a process whose server was killed
READY_SECONDS = 120.0  # for the server's imports


class JobProcess(Protocol):
    """The process of a job, here or on another machine, as a pool uses it."""

    def poll(self) -> int | None:
        """The exit code, as `subprocess.Popen.poll` returns it; None while the process runs."""
        ...

    def wait(self, timeout: float) -> object:
        """Waits for the end of the process. Raises subprocess.TimeoutExpired."""
        ...

    def signal(self, number: int) -> None:
        """Sends a signal to the process and to those that it started."""
        ...


class NewProcess(subprocess.Popen[bytes]):
    """A process of its own."""

    def signal(self, number: int) -> None:
        """Sends a signal to the process and to those that it started."""
        signal_tree(self, number)


class ForkedProcess:
    """A process of the fork server."""

    def __init__(self, process: ForkServerProcess) -> None:
        assert process.pid is not None
        self.process, self.pid = process, process.pid

    def poll(self) -> int | None:
        """The exit code, as `subprocess.Popen.poll` returns it; None while the process runs."""
        code = self.process.exitcode
        # If the server was killed, the process continues; only its exit code is lost.
        return None if code == SERVER_ENDED and psutil.pid_exists(self.pid) else code

    def wait(self, timeout: float) -> None:
        """Waits for the end of the process. Raises subprocess.TimeoutExpired."""
        self.process.join(timeout)
        if self.poll() is None:
            raise subprocess.TimeoutExpired(COMMAND, timeout)

    def signal(self, number: int) -> None:
        """Sends a signal to the process and to those that it started."""
        signal_tree(self, number)


def start_process(job: Job, environment: Mapping[str, str]) -> JobProcess:
    """Starts a job in a session of its own, so that Ctrl-C in the terminal does not reach it. Its log takes its output.

    Args:
        job: what to start.
        environment: the variables that keep it to its share of the devices.

    Raises:
        OSError: if the system does not start it.
    """
    whole = os.environ | environment
    with job.open_log() as out:
        if _can_fork(job, environment):
            return _fork(job, whole)
        return NewProcess(job.command(), stdout=out, stderr=subprocess.STDOUT, env=whole, start_new_session=True)


def _can_fork(job: Job, environment: Mapping[str, str]) -> bool:
    """Whether a fork would do the same as the job's command line."""
    is_training = job.command()[1:3] == ["-m", COMMAND]
    return sys.platform == "linux" and is_training and THREADS_VARIABLE in environment and _is_main_harmless()


def _is_main_harmless() -> bool:
    """Whether the program of this process may be imported again, which multiprocessing does in each child.

    A user's script that starts a sweep without `if __name__ == "__main__"` would start it again.
    """
    main = sys.modules["__main__"]
    name, file = getattr(main.__spec__, "name", ""), getattr(main, "__file__", None)
    return name.endswith(".__main__") or file is None or Path(file).stem == "pix2pix"


def _fork(job: Job, environment: dict[str, str]) -> ForkedProcess:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    ignored = [number for number in STOP_SIGNALS if signal.getsignal(number) is signal.SIG_IGN]
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_train, args=(job.log, job.command()[3:], environment, ignored, sender))
    process.start()
    sender.close()
    receiver.poll(READY_SECONDS)  # until the process leads its session, so that a signal can be sent to it
    receiver.close()
    return ForkedProcess(process)


def _train(
    log: Path, words: Sequence[str], environment: Mapping[str, str], ignored: Sequence[int], ready: Connection
) -> None:
    """Turns the fork into what `python -m pix2pix.cli WORDS` would be, and runs that."""
    os.setsid()
    for number in STOP_SIGNALS:  # the server ignores them
        default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN if number in ignored else default)
    ready.close()
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.clear()
    os.environ.update(environment)
    try:
        _run_command(words, int(environment[THREADS_VARIABLE]))
    finally:
        atexit._run_exitfuncs()  # multiprocessing does not; W&B ends its run in one


def _run_command(words: Sequence[str], threads: int) -> None:
    import numpy as np
    import torch

    torch.set_num_threads(threads)  # OpenMP has read its variable when the server imported torch
    np.random.seed()  # as in a new process; Python's own generator does it at a fork
    sys.argv = ["", *words]
    # As `python -m` does it. By the name of this module the other processes of a job on several devices are started.
    runpy.run_module(COMMAND, run_name="__main__", alter_sys=True)
