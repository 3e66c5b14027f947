"""Counts the CPU cores that this process may use."""

import os

THREADS_VARIABLE = "OMP_NUM_THREADS"  # by which a process is told how many threads to compute with


def count_cores() -> int:
    """The cores that this process may use: fewer than the machine has under `taskset`, Slurm and the like."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def count_threads() -> int:
    """The threads that this process computes with: one for each core, or fewer if `OMP_NUM_THREADS` says so."""
    first = os.environ.get(THREADS_VARIABLE, "").split(",")[0].strip()  # "4,2": threads within threads
    return min(count_cores(), int(first)) if first.isdigit() and int(first) > 0 else count_cores()
