"""Lets threads give way where another training of this package computes on the same cores.

Between two operations the threads of OpenMP spin for a while, because the next operation comes soon. That is fastest
for a training alone. Two trainings of two threads on two cores take the cores away from each other by it.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

SPIN_VARIABLE = "GOMP_SPINCOUNT"  # how often a waiting thread of GNU's OpenMP looks again before it sleeps
FEW_SPINS = "1000"
PROGRAMS = {"pix2pix", "pix2pix.cli"}
USER_CHOICES = (SPIN_VARIABLE, "OMP_WAIT_POLICY", "OMP_NUM_THREADS")  # a sweep sets the last one for its jobs


def spin_less_beside_trainings() -> None:
    """Shortens the spinning of this process if another training runs. No number changes.

    OpenMP reads the variable when torch is imported, so it must be called before. Settings of the user stay.
    """
    if "torch" in sys.modules or any(name in os.environ for name in USER_CHOICES):
        return
    if any(map(_is_training, _list_commands())):
        os.environ[SPIN_VARIABLE] = FEW_SPINS


def spins_less() -> bool:
    """Whether `spin_less_beside_trainings` has found another training."""
    return os.environ.get(SPIN_VARIABLE) == FEW_SPINS


def _is_training(command: Iterable[str]) -> bool:
    """Whether these are the words of `pix2pix train` or `python -m pix2pix train`."""
    return any(Path(word).name in PROGRAMS and following == "train" for word, following in pairwise(command))


def _list_commands() -> Iterator[list[str]]:
    """The words of all programs that this user may look at, but for this one and those that started it."""
    import psutil

    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter(["cmdline"]):
        if process.pid not in own:
            yield process.info["cmdline"] or []
