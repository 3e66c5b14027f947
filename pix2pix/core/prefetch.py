"""Runs a network over many pictures in batches, while threads read inputs and write outputs."""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

AT_ONCE = 2**19  # pixels of a batch, eight pictures of 256x256: beyond them a batch saves little time and takes memory
AHEAD = 2  # batches that are read and wait for the network, and as many that wait to be written
THREADS = 2  # of reading and of writing; decoding and encoding leave Python's lock
T = TypeVar("T")
R = TypeVar("R")
S = TypeVar("S")
W = TypeVar("W")


def pictures_per_batch(height: int, width: int) -> int:
    """How many pictures of this size make a batch."""
    return max(1, AT_ONCE // (height * width))


def batch_by_size(
    items: Iterable[T], size: Callable[[T], tuple[int, int] | None], most: int | None = None
) -> Iterator[list[T]]:
    """Neighbours of one size, as many as make a batch, or `most`; takes no more items than the next batch needs.

    `size` tells height and width of an item, or None for one that goes alone.
    """
    for same, group in itertools.groupby(items, size):
        count = 1 if same is None else most or pictures_per_batch(*same)
        while batch := list(itertools.islice(group, count)):
            yield batch


def read_run_write(
    batches: Iterable[Sequence[T]],
    read: Callable[[T], R],
    run: Callable[[list[R]], Iterable[S]],
    write: Callable[[S], W],
) -> Iterator[W]:
    """What becomes of each item, in order, when batches are read, run and written.

    Items are read and written one by one in threads; meanwhile this one runs what was read, a batch at a time. An error
    in any of them ends it.
    """
    with ThreadPoolExecutor(THREADS) as readers, ThreadPoolExecutor(THREADS) as writers:
        writing: deque[list[Future[W]]] = deque()
        for reading in prefetch(readers, read, batches):
            outcomes = run([item.result() for item in reading])
            writing.append([writers.submit(write, outcome) for outcome in outcomes])
            while len(writing) > AHEAD:
                yield from (item.result() for item in writing.popleft())
        for last in writing:
            yield from (item.result() for item in last)


def prefetch(
    pool: ThreadPoolExecutor, work: Callable[[T], R], batches: Iterable[Sequence[T]]
) -> Iterator[list[Future[R]]]:
    """The work on each batch, done in the pool while those before it are in use; at most AHEAD of them wait."""
    begun = ([pool.submit(work, item) for item in batch] for batch in batches)
    waiting = deque(itertools.islice(begun, AHEAD))
    try:
        while waiting:
            first = waiting.popleft()
            waiting.extend(itertools.islice(begun, 1))
            yield first
    finally:
        for left in itertools.chain(*waiting):
            left.cancel()
