"""Reads and resizes pairs for a cache, one by one or all in parallel."""

import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

from pix2pix.core.prefetch import map_in_threads
from pix2pix.core.processes import is_first_process
from pix2pix.core.progress_bars import tqdm
from pix2pix.data.inventory import stat_file
from pix2pix.data.pair import Pair, PairSource, Split, read_ahead

DECODERS = ("torch", "pillow", "numpy")  # packages of which another version may give other pixels


class ResizedPairs(Sequence[Pair]):
    """Pairs of a source, read and resized whenever they are indexed.

    Args:
        pairs: the pairs as they are in their files.
        resize: resizes a pair, without randomness.
        title: the name of the pairs in the progress bar, such as `train`.
        content: describes all that the pixels depend on, files and settings; different pixels, different text.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        resize: Callable[[Pair], Pair],
        *,
        title: str = "pairs",
        content: Callable[[], str] = str,
    ) -> None:
        self.pairs, self.resize, self.title, self._describe_content = pairs, resize, title, content

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Pair:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.resize(self.pairs[index])

    def read_ahead(self, indices: Iterable[int]) -> None:
        """As in `PairFiles`."""
        read_ahead(self.pairs, indices)

    @functools.cached_property
    def content(self) -> str:
        """What the pixels depend on. Of a million files it takes seconds, so it is described once."""
        return self._describe_content()

    def estimated_bytes(self) -> int:
        """The memory of all pairs, if all are as large as the first."""
        return len(self) * sum(image.nbytes for image in self[0].images) if len(self) else 0


def describe_content(pairs: PairSource, split: Split, settings: str, fingerprint: str | None = None) -> str:
    """All that the pixels of a split depend on: files with sizes and dates, settings, versions of packages.

    `fingerprint` is that of `pairs`, where it is known already.
    """
    files = "\n".join(_describe_file(file) for files in pairs.files(split) for file in files)
    digest = hashlib.sha256(f"{fingerprint or pairs.fingerprint()}\n{files}".encode()).hexdigest()
    return " ".join([split, digest, settings, *(f"{name} {version(name)}" for name in DECODERS)])


def _describe_file(file: Path) -> str:
    stat = stat_file(file)
    return f"{file} {stat.st_size} {stat.st_mtime_ns}"


def prefetch_all(pairs: ResizedPairs) -> Iterator[Pair]:
    """Yields all pairs in order, with a progress bar. Threads on every core read a few pairs ahead."""
    silent = None if is_first_process() else True  # None: only where there is no terminal
    loaded = map_in_threads(pairs.__getitem__, range(len(pairs)))
    with closing(loaded), tqdm(total=len(pairs), unit="pair", disable=silent) as bar:
        bar.set_description(f"caching {pairs.title}")
        for pair in loaded:
            yield pair
            bar.update()
