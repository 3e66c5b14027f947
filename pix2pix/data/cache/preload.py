"""Loads resized pairs for a cache, one by one or all at once in parallel."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

from lightning_fabric.utilities.rank_zero import rank_zero_only
from torch import Tensor
from tqdm import tqdm

from pix2pix.core.prefetch import map_in_threads
from pix2pix.data.pair import Pair, PairSource, Split

DECODERS = ("torch", "pillow", "numpy")  # another version may decode or resize to other pixels


class ResizedPairs(Sequence[Pair]):
    """Pairs as `load` leaves them, read again whenever they are indexed.

    Args:
        pairs: the pairs as they are in their files.
        load: resizes a pair, the same way every time.
        title: what the pairs are called while they are cached, such as `train`.
        content: says what the loaded pixels depend on, files and settings; equal only where they are equal.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        load: Callable[[Pair], Pair],
        *,
        title: str = "pairs",
        content: Callable[[], str] = str,
    ) -> None:
        self.pairs, self.load, self.title, self.content = pairs, load, title, content

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Pair:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.load(self.pairs[index])

    def estimated_bytes(self) -> int:
        """What all of them take, if all are like the first."""
        return len(self) * sum(image.nbytes for image in images_of(self[0])) if len(self) else 0


def describe_content(pairs: PairSource, split: Split, settings: str) -> str:
    """What the loaded pixels of a split depend on: its files with sizes and dates, settings, versions of libraries."""
    files = "\n".join(_describe_file(file) for files in pairs.files(split) for file in files)
    digest = hashlib.sha256(f"{pairs.fingerprint()}\n{files}".encode()).hexdigest()
    return " ".join([split, digest, settings, *(f"{name} {version(name)}" for name in DECODERS)])


def _describe_file(file: Path) -> str:
    stat = file.stat()
    return f"{file} {stat.st_size} {stat.st_mtime_ns}"


def images_of(pair: Pair) -> tuple[Tensor, Tensor]:
    """Both images."""
    return pair.source, pair.target


def prefetch_all(pairs: ResizedPairs) -> Iterator[Pair]:
    """Yields all pairs in order, with a progress bar. Threads on every core read a few pairs ahead."""
    silent = True if rank_zero_only.rank else None  # pyright: ignore  # None: only where there is no terminal
    loaded = map_in_threads(pairs.__getitem__, range(len(pairs)))
    with closing(loaded), tqdm(total=len(pairs), unit="pair", disable=silent) as bar:
        bar.set_description(f"caching {pairs.title}")
        for pair in loaded:
            yield pair
            bar.update()
