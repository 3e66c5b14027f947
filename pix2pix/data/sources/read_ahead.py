"""Reads byte ranges of remote files before they are asked for: a network answers slowly, but many requests at once."""

import os
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from pix2pix.data.sources.remote_files import read_range

Range = tuple[str, int, int]  # address, offset and size in bytes
PARALLEL_READS = 16


class ReadAhead:
    """The ranges that were announced last: under way, or read and not yet taken.

    A range that the next announcement leaves out is forgotten, so the memory holds one announcement at most.
    """

    def __init__(self) -> None:
        self._process = 0
        self._reads: dict[Range, Future[bytes]] = {}

    def announce(self, ranges: Iterable[Range]) -> None:
        """Begins to read these, in their order."""
        if self._process != os.getpid():  # threads do not survive in a forked loader worker
            self._process, self._reads = os.getpid(), {}
            self._threads = ThreadPoolExecutor(PARALLEL_READS, "read ahead")
        forgotten, self._reads = self._reads, {}
        for one in ranges:
            self._reads[one] = forgotten.pop(one, None) or self._threads.submit(read_range, *one)
        for read in forgotten.values():
            read.cancel()

    def take(self, one: Range) -> bytes:
        """The bytes of a range, read now unless it was announced. Raises what `read_range` raises."""
        read = self._reads.pop(one, None) if self._process == os.getpid() else None
        return read.result() if read else read_range(*one)

    def __reduce__(self) -> tuple[type["ReadAhead"], tuple[()]]:
        """An empty one: a spawned loader worker reads for itself."""
        return ReadAhead, ()
