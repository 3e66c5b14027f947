"""Reads, computes and writes at the same time: threads read ahead and write behind what the caller computes."""

import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import TypeVar

from pix2pix.core.cpu_cores import count_cores

PIXELS_PER_BATCH = 2**18  # four pictures of 256x256: a larger batch saves no time and takes memory
AHEAD = 2  # batches that are read before the network needs them, and as many that wait to be written
THREADS = 2  # for reading, and for writing; decoding and encoding release Python's lock
T = TypeVar("T")
R = TypeVar("R")
S = TypeVar("S")
W = TypeVar("W")


def pictures_per_batch(height: int, width: int) -> int:
    """How many pictures of this size make a batch."""
    return max(1, PIXELS_PER_BATCH // (height * width))


def batch_by_size(
    items: Iterable[T], size: Callable[[T], tuple[int, int] | None], most: int | None = None
) -> Iterator[list[T]]:
    """Batches of neighbouring items of one size. Takes no more items than the next batch needs.

    Args:
        items: what to put into batches, in this order.
        size: returns the height and width of an item, or None for an item that makes a batch of its own.
        most: items in a batch; None for as many as `pictures_per_batch` says.
    """
    # Neighbours of one size, cut into batches. `groupby` reads no further than the group that is consumed.
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
    """Yields what `write` returns for each item, in order.

    Threads read and write single items, while this thread runs whole batches. The first error in any of them is raised.
    """
    # While the caller's thread runs a batch, the readers fill the next and the writers empty the last. A result of a
    # future raises what its thread raised.
    with ThreadPoolExecutor(THREADS) as readers, ThreadPoolExecutor(THREADS) as writers:
        writing: deque[list[Future[W]]] = deque()
        for batch in prefetch(readers, read, batches):
            results = run([item.result() for item in batch])
            writing.append([writers.submit(write, result) for result in results])
            while len(writing) > AHEAD:
                yield from (item.result() for item in writing.popleft())
        for batch in writing:
            yield from (item.result() for item in batch)


def map_in_threads(
    work: Callable[[T], R], items: Iterable[T], *, threads: int | None = None, ahead: int | None = None
) -> Generator[R]:
    """Yields `work(item)` for each item, in order. `ThreadPoolExecutor.map` would queue all items, however many.

    Args:
        work: runs in a thread.
        items: taken one by one, at most `ahead` before their results are used.
        threads: None for one on each core.
        ahead: None for two on each thread.
    """
    threads = threads or count_cores()
    with (
        ThreadPoolExecutor(threads) as pool,
        closing(prefetch(pool, work, ([item] for item in items), ahead or 2 * threads)) as results,
    ):
        for (result,) in results:
            yield result.result()


def prefetch(
    pool: ThreadPoolExecutor, work: Callable[[T], R], batches: Iterable[Sequence[T]], count: int = AHEAD
) -> Generator[list[Future[R]]]:
    """Yields the futures of each batch. The pool works on `count` more batches; when the caller stops, on none."""
    # Lazy: a batch is submitted when it is drawn, `count` of them before the first one is needed.
    submitted = ([pool.submit(work, item) for item in batch] for batch in batches)
    waiting = deque(itertools.islice(submitted, count))
    try:
        while waiting:
            first = waiting.popleft()
            waiting.extend(itertools.islice(submitted, 1))
            yield first
    finally:
        for unused in itertools.chain(*waiting):
            unused.cancel()
