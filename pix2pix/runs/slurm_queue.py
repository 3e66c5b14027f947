"""Which jobs of a sweep are in Slurm's queue: their numbers, kept in the sweep, and their states, as squeue tells them.

`squeue` answers on every cluster; `sacct` only where accounting is set up.
"""

import json
import logging
import subprocess
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from pix2pix.core.atomic_files import write_text_atomic
from pix2pix.runs.sweep import SWEEP, Job

POLL_SECONDS = 5.0
NUMBERS = "slurm_jobs.json"  # in the folder of a sweep: the number of each run's newest job
# What Slurm calls a job that has ended, and what the table of the sweep says of it. Others are still in the queue.
ENDED = {
    "COMPLETED": "",
    "FAILED": "",  # the log of the run says why
    "CANCELLED": "cancelled",
    "TIMEOUT": "Slurm ended it at its time limit",
    "NODE_FAIL": "its node failed",
    "OUT_OF_MEMORY": "out of memory: ask for more, as hydra.launcher.mem_gb=32",
    "PREEMPTED": "preempted",
    "DEADLINE": "Slurm ended it at its deadline",
    "BOOT_FAIL": "its node did not start",
}

log = logging.getLogger(__name__)


def read_numbers(sweep: Path) -> dict[str, str]:
    """The number of each run's newest job, by the name of the run."""
    file = sweep / NUMBERS
    return json.loads(file.read_text("utf-8")) if file.is_file() else {}


def add_numbers(sweep: Path, numbers: Mapping[str, str]) -> None:
    """Keeps the numbers of jobs that were submitted, for later commands."""
    write_text_atomic(sweep / NUMBERS, json.dumps(read_numbers(sweep) | dict(numbers), indent=2))


def read_states() -> dict[str, str] | None:
    """The state of each of the user's jobs, by its number; None if Slurm does not answer.

    It includes those that have ended, for as long as Slurm remembers them (MinJobAge, five minutes by default).
    """
    call = ["squeue", "--me", "--noheader", "--array", "--states=all", "--format=%i %T"]
    try:
        listing = subprocess.run(call, capture_output=True, encoding="utf-8", check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return dict(line.split() for line in listing.splitlines())


def find_queued(sweep: Path) -> dict[str, str]:
    """The numbers of the runs that are in the queue or running, by the name of the run.

    Raises ValueError if Slurm does not answer: a job must not be submitted twice.
    """
    numbers = read_numbers(sweep)
    states = read_states() if numbers else {}
    if states is None:
        raise ValueError("squeue does not answer, so it is unknown which runs are in the queue already. Try again.")
    return {name: number for name, number in numbers.items() if states.get(number, "COMPLETED") not in ENDED}


def record_states(jobs: Mapping[str, Job], states: Mapping[str, str]) -> list[Job]:
    """Records for the sweep's table what Slurm says of its jobs, by their numbers. Returns the running ones."""
    for number, job in jobs.items():
        state = states.get(number)
        if state in {"RUNNING", "COMPLETING"}:
            SWEEP.record_result(job, "running", f"job {number}")
        elif state is not None and state not in ENDED:
            SWEEP.record_result(job, "queued", f"job {number}")
        elif why := ENDED.get(state or "", ""):
            SWEEP.record_result(job, "stopped", f"{why} (job {number}); run the same command again to resume it")
        else:
            SWEEP.results.pop(job.run.path, None)
    return [job for number, job in jobs.items() if states.get(number) == "RUNNING"]


def wait_for_jobs(jobs: Mapping[str, Job], watch: Callable[[Collection[Job]], None]) -> None:
    """Waits until all jobs, by their numbers, have left the queue; calls `watch` with the running ones meanwhile."""
    was_silent = False
    while True:
        states = read_states()
        if states is not None:
            watch(record_states(jobs, states))
            if all(states.get(number, "COMPLETED") in ENDED for number in jobs):
                return
        elif not was_silent:
            log.warning("squeue does not answer; waiting for it. The jobs go on.")
        was_silent = states is None
        time.sleep(POLL_SECONDS)
