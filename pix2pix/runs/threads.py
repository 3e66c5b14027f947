"""Keeps the number of CPU threads of a run when it resumes, because another number changes the rounding."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytorch_lightning as pl
import torch
from pytorch_lightning.accelerators import CPUAccelerator

from pix2pix.core.cpu_cores import THREADS_VARIABLE, count_cores
from pix2pix.runs.run import Run

log = logging.getLogger(__name__)


@contextmanager
def keep_thread_count(run: Run, trainer: pl.Trainer) -> Iterator[None]:
    """Uses the number of threads with which the run was started, or warns if the machine has fewer cores.

    The number is recorded in the provenance. After the block this process has its previous number again.
    """
    if not isinstance(trainer.accelerator, CPUAccelerator):
        yield
        return
    before, number = torch.get_num_threads(), _thread_count(run, trainer)
    torch.set_num_threads(number)
    if trainer.world_size > 1:
        os.environ[THREADS_VARIABLE] = str(number)  # for processes that Lightning starts
    if trainer.is_global_zero:
        run.record_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _thread_count(run: Run, trainer: pl.Trainer) -> int:
    # Lightning gives each of several processes its share of the cores, unless OMP_NUM_THREADS says otherwise.
    is_shared = trainer.world_size > 1 and THREADS_VARIABLE not in os.environ
    own = max(1, count_cores() // trainer.num_devices) if is_shared else torch.get_num_threads()
    recorded = run.threads()
    if recorded is None or recorded == own:
        return own
    if recorded > count_cores():
        log.warning(
            "%s was started with %s, but this machine has %d cores: it continues with %s. Sums are rounded "
            "differently, so the weights will not be bit-equal to those of an uninterrupted run.",
            *(run.path, _format_threads(recorded), count_cores(), _format_threads(own)),
        )
        return own
    log.info(
        "The run continues with %s, as it was started, and not with %s, so that results stay bit-equal. For another "
        "number, start a new run with name=... resume=%s.",
        *(_format_threads(recorded), _format_threads(own), run.last_checkpoint),
    )
    return recorded


def _format_threads(number: int) -> str:
    return f"{number} thread{'s' if number > 1 else ''}"
