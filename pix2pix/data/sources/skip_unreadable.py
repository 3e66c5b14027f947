"""Skips pairs that cannot be used, up to a limit: a training takes the next pair, a validation leaves them out.

A pair cannot be used if a file cannot be read, or if its images cannot be brought to the size of the training.
"""

import copy
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, Self

from pix2pix.core.plurals import pluralize
from pix2pix.core.prefetch import map_in_threads
from pix2pix.data.cache.preload import ResizedPairs
from pix2pix.data.pair import Pair, read_ahead

log = logging.getLogger(__name__)

OnError = Literal["fail", "skip"]


class SkipUnreadable(ResizedPairs):
    """Replaces a pair that cannot be used by the next one, the same one every time, so that runs are reproducible.

    Args:
        pairs: the pairs as they are in their files.
        resize: resizes a pair, without randomness.
        limit: how many pairs each loading process may skip; more are an error.
        described: further arguments of `ResizedPairs`.
    """

    def __init__(self, pairs: Sequence[Pair], resize: Callable[[Pair], Pair], limit: int, **described: Any) -> None:
        super().__init__(pairs, resize, **described)
        self.limit = limit
        self.skipped: set[int] = set()

    def __getitem__(self, index: int) -> Pair:  # pyright: ignore[reportIncompatibleMethodOverride]
        for position in range(index, index + len(self.pairs)):
            try:
                return super().__getitem__(position % len(self.pairs))
            except (ValueError, OSError) as error:
                self._skip(position % len(self.pairs), error)
        raise ValueError("data.on_error=skip: none of the pairs can be used. Check data.path and the files.")

    def resized_by(self, resize: Callable[[Pair], Pair]) -> Self:
        """The same pairs at another size. A pair that was skipped here is not named again there."""
        others = copy.copy(self)
        others.resize = resize
        return others

    def _skip(self, index: int, error: Exception) -> None:
        is_new = index not in self.skipped
        self.skipped.add(index)
        if len(self.skipped) > self.limit:
            raise _limit_error(error, len(self.skipped), self.limit) from error
        if is_new:
            log.warning("%s Skipped (%d of at most %d).", error, len(self.skipped), self.limit)


class SelectedPairs(Sequence[Pair]):
    """Some pairs of a sequence, by their numbers; read when indexed."""

    def __init__(self, pairs: Sequence[Pair], numbers: Sequence[int]) -> None:
        self.pairs, self.numbers = pairs, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> Pair:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.pairs[self.numbers[index]]

    def read_ahead(self, indices: Iterable[int]) -> None:
        """As in `PairFiles`."""
        read_ahead(self.pairs, (self.numbers[index] for index in indices))


def leave_out_unreadable(pairs: ResizedPairs, limit: int) -> Sequence[Pair]:
    """The pairs in their files, without those that cannot be used, which it warns of.

    A mean over pairs must not count another pair twice, so nothing takes the place of what is left out. Reads each pair
    once, in threads, before the training: the number of pairs must be known before the first validation, and only
    decoding a file shows that it is damaged.

    Raises:
        ValueError: for more than `limit` pairs that cannot be used, and if none can.
    """
    errors = {}
    for number, error in enumerate(map_in_threads(lambda number: _try_to_read(pairs, number), range(len(pairs)))):
        if error is None:
            continue
        errors[number] = error
        if len(errors) > limit:
            raise _limit_error(error, len(errors), limit) from error
        log.warning("%s Left out of the validation (%d of at most %d).", error, len(errors), limit)
    if len(errors) == len(pairs):
        raise ValueError("data.on_error=skip: none of the validation pairs can be used. Check data.path and the files.")
    usable = [number for number in range(len(pairs)) if number not in errors]
    return SelectedPairs(pairs.pairs, usable) if errors else pairs.pairs


def _try_to_read(pairs: Sequence[Pair], number: int) -> Exception | None:
    try:
        pairs[number]
    except (ValueError, OSError) as error:
        return error
    return None


def _limit_error(error: Exception, count: int, limit: int) -> ValueError:
    return ValueError(
        f"{error} {pluralize(count, 'pair', 'pairs')} could not be used, but data.skip_limit={limit}. Raise it, or "
        "replace the files."
    )
