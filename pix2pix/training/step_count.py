"""Counts a training step once, however many optimizers take part in it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pytorch_lightning.core.optimizer import LightningOptimizer, do_nothing_closure


@contextmanager
def count_one_step(optimizers: Sequence[LightningOptimizer]) -> Iterator[None]:
    """Makes Lightning count one step for everything that the optimizers do within the block.

    In manual optimization Lightning counts the steps of every optimizer: two of them would double every step number.
    A step that is replayed as a CUDA graph calls no optimizer, and would count as none.
    """
    # Lightning counts in these two hooks of an optimizer. They are removed from all optimizers, and called once.
    first, *_ = optimizers
    begin, end = first._on_before_step, first._on_after_step
    for optimizer in optimizers:
        optimizer._on_before_step = optimizer._on_after_step = do_nothing_closure
    begin()
    yield
    end()
    first._on_before_step, first._on_after_step = begin, end
