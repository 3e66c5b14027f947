"""Counts the CPU cores that this process may use."""

import os

THREADS_VARIABLE = "OMP_NUM_THREADS"  # by which a process is told how many threads to compute with


def count_cores() -> int:
    """The cores that this process may use: fewer than the machine has under `taskset`, Slurm and the like."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
