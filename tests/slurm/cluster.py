"""A Slurm cluster of one or more nodes on this machine, made of Debian's packages, for as long as a block lasts.

    apt-get install -y --no-install-recommends slurm-wlm munge
    python -m tests.slurm.cluster --nodes 2    # as root: starts one and prints how to use it, until Ctrl-C

Nothing of the system's own configuration is read or changed. There is no accounting, as on many small clusters.
"""

import argparse
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "srun", "sbatch", "unshare")
CPUS = 8  # that each node claims to have
WAIT_SECONDS = 240.0

CONFIGURATION = """
ClusterName=test
SlurmctldHost=localhost
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket,cred_expire={requeue_seconds}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
SlurmdParameters=config_overrides
SlurmdTimeout=10
MessageTimeout=60
BatchStartTimeout=120
ReturnToService=2
KillWait=5
SchedulerParameters=batch_sched_delay=1,sched_interval=2
"""


def missing() -> str | None:
    """Why no cluster can be started here; None if it can."""
    if absent := [program for program in PROGRAMS if shutil.which(program) is None]:
        return f"needs {', '.join(absent)}: apt-get install -y --no-install-recommends slurm-wlm munge"
    return None if os.geteuid() == 0 else "Slurm's daemons are started by root"


class Cluster:
    """A controller and nodes. Each node is a process namespace, so that killing it kills all of its processes at once.

    Args:
        folder: where its files go; all users must be able to enter it.
        nodes: how many nodes; they are called n1, n2 and so on.
        requeue_seconds: for which Slurm holds a requeued job back, at least 5; its own default is two minutes.
    """

    def __init__(self, folder: Path, nodes: int = 1, requeue_seconds: int = 5) -> None:
        self.folder = folder
        self.names = [f"n{number}" for number in range(1, nodes + 1)]
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}
        first, *others = find_free_ports(1 + nodes)
        lines = CONFIGURATION.format(folder=folder, port=first, requeue_seconds=requeue_seconds)
        for name, port in zip(self.names, others, strict=True):
            lines += f"NodeName={name} NodeHostname={socket.gethostname()} NodeAddr=127.0.0.1 Port={port} "
            lines += f"CPUs={CPUS} RealMemory=4000\n"
        self.configuration = folder / "slurm.conf"
        self.configuration.write_text(f"{lines}PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n")
        self.environment = os.environ | {"SLURM_CONF": str(self.configuration)}

    def start(self) -> None:
        """Starts all daemons, and returns when the nodes take jobs."""
        key, state = self.folder / "munge.key", self.folder / "state"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        state.mkdir()
        places = (f"--{name}-file={self.folder}/munge.{name}" for name in ("key", "pid", "log", "seed"))
        self._start("munged", "munged", "--foreground", "--force", f"--socket={self.folder}/munge.socket", *places)
        self.wait_for((self.folder / "munge.socket").exists)
        self._start("slurmctld", "slurmctld", "-D")
        for name in self.names:
            self.start_node(name)

    def start_node(self, name: str) -> None:
        """Starts a node, and returns when it takes jobs."""
        self._start(name, "unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "slurmd", "-D", "-N", name)
        self.wait_for(lambda: self.ask("sinfo", "-h", "-n", name, "-o", "%T").strip() in {"idle", "mixed"})

    def kill_node(self, name: str) -> None:
        """Ends all processes of a node at once, as a power cut does."""
        self.daemons[name].kill()
        self.daemons.pop(name).wait()

    def stop(self) -> None:
        """Ends all jobs and daemons."""
        for name in self.names:
            if name in self.daemons:
                self.kill_node(name)
        for daemon in reversed(self.daemons.values()):
            daemon.send_signal(signal.SIGTERM)
            daemon.wait()

    def ask(self, *words: str) -> str:
        """What a command of Slurm's prints; nothing if it fails."""
        return subprocess.run(words, env=self.environment, capture_output=True, text=True, check=False).stdout

    def submit(self, *words: str, cwd: Path) -> str:
        """Submits by sbatch, and returns the number of the job."""
        call = ["sbatch", *words]
        said = subprocess.run(call, env=self.environment, cwd=cwd, capture_output=True, text=True, check=True).stdout
        return re.findall(r"\d+", said)[-1]

    def state(self, job: str) -> str:
        """The state of a job, such as PENDING; empty if Slurm knows it no longer."""
        return self.ask("squeue", "-h", "-t", "all", "-j", job, "-o", "%T").strip()

    def wait_for(self, condition: Callable[[], object], seconds: float = WAIT_SECONDS) -> None:
        """Waits for a condition. Raises TimeoutError, with what Slurm says, if it does not come."""
        until = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > until:
                logs = [log.read_text(errors="replace")[-1500:] for log in sorted(self.folder.glob("slurm*.log"))]
                raise TimeoutError("\n".join([self.ask("squeue"), self.ask("sinfo"), *logs]))
            time.sleep(0.2)

    def _start(self, name: str, *words: str) -> None:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.daemons[name] = subprocess.Popen(words, env=self.environment, **quiet)


def find_free_ports(count: int) -> list[int]:
    """Ports of this machine that nothing listens on."""
    with contextlib.ExitStack() as open_sockets:
        free = [open_sockets.enter_context(socket.socket()) for _ in range(count)]
        for each in free:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in free]


@contextlib.contextmanager
def start_cluster(nodes: int = 1, requeue_seconds: int = 5) -> Iterator[Cluster]:
    """A cluster that lasts as long as the block."""
    with tempfile.TemporaryDirectory(prefix="slurm-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        cluster = Cluster(folder, nodes, requeue_seconds)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


def main(words: Sequence[str] | None = None) -> None:
    """Starts a cluster to try things out on, until Ctrl-C."""
    parser = argparse.ArgumentParser(description="Starts a Slurm cluster on this machine, until Ctrl-C.")
    parser.add_argument("--nodes", type=int, default=1)
    arguments = parser.parse_args(words)
    if why := missing():
        raise SystemExit(f"No cluster can be started here: {why}.")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with start_cluster(arguments.nodes) as cluster, contextlib.suppress(KeyboardInterrupt):
        print(f"In another terminal: export SLURM_CONF={cluster.configuration}\n{cluster.ask('sinfo')}", flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
