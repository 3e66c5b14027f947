"""Keeps the number of CPU threads of a run when it resumes, because other numbers change the rounding."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytorch_lightning as pl
import torch
from pytorch_lightning.accelerators import CPUAccelerator

from pix2pix.data.cache.preload import cores
from pix2pix.runs.run import Run

log = logging.getLogger(__name__)

VARIABLE = "OMP_NUM_THREADS"


@contextmanager
def keep_thread_count(run: Run, trainer: pl.Trainer) -> Iterator[None]:
    """Computes with as many threads as the run was begun with, where the machine has them; says so where it has not.

    The number is noted in the provenance. Afterwards this process has its own again.
    """
    if not isinstance(trainer.accelerator, CPUAccelerator):
        yield
        return
    before, number = torch.get_num_threads(), _thread_count(run, trainer)
    torch.set_num_threads(number)
    if trainer.world_size > 1:
        os.environ[VARIABLE] = str(number)  # for the processes that Lightning starts
    if trainer.is_global_zero:
        run.note_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _thread_count(run: Run, trainer: pl.Trainer) -> int:
    shared = trainer.world_size > 1 and VARIABLE not in os.environ  # as Lightning shares them out
    ours = max(1, cores() // trainer.num_devices) if shared else torch.get_num_threads()
    begun = run.threads()
    if begun is None or begun == ours:
        return ours
    if begun > cores():
        log.warning(
            "%s was started with %s, but this machine has %d cores: it continues with %s. Sums are rounded "
            "differently, so the weights will not be bit-equal to those of an uninterrupted run.",
            *(run.path, _format_threads(begun), cores(), _format_threads(ours)),
        )
        return ours
    log.info(
        "The run continues with %s, as it was started, and not with %s, so that results stay bit-equal. For another "
        "number start a run of another name with resume=%s.",
        *(_format_threads(begun), _format_threads(ours), run.last),
    )
    return begun


def _format_threads(number: int) -> str:
    return f"{number} thread{'s' if number > 1 else ''}"
