"""Skips pairs that cannot be read, up to a limit: a training takes the next pair, a validation leaves them out."""

import logging
from collections.abc import Sequence
from typing import Literal

from pix2pix.core.plurals import pluralize
from pix2pix.core.prefetch import map_in_threads
from pix2pix.data.pair import Pair

log = logging.getLogger(__name__)

OnError = Literal["fail", "skip"]


class SkipUnreadable(Sequence[Pair]):
    """Replaces an unreadable pair by the next readable one, the same one every time, so that runs are reproducible.

    Args:
        pairs: the pairs as they are in their files.
        limit: how many pairs each loading process may skip; more are an error.
    """

    def __init__(self, pairs: Sequence[Pair], limit: int) -> None:
        self.pairs, self.limit = pairs, limit
        self.skipped: set[int] = set()

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Pair:  # pyright: ignore[reportIncompatibleMethodOverride]
        for position in range(index, index + len(self.pairs)):
            try:
                return self.pairs[position % len(self.pairs)]
            except (ValueError, OSError) as error:
                self._skip(position % len(self.pairs), error)
        raise ValueError("data.on_error=skip: none of the pairs can be read. Check data.path and the files.")

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


def leave_out_unreadable(pairs: Sequence[Pair], limit: int) -> Sequence[Pair]:
    """The pairs without those that cannot be read, which it warns of. Reads each once, in threads.

    A mean over pairs must not count another pair twice, so nothing takes the place of what is left out.

    Raises:
        ValueError: for more than `limit` unreadable pairs, and if none can be read.
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
        raise ValueError("data.on_error=skip: none of the validation pairs can be read. Check data.path and the files.")
    return SelectedPairs(pairs, [number for number in range(len(pairs)) if number not in errors]) if errors else pairs


def _try_to_read(pairs: Sequence[Pair], number: int) -> Exception | None:
    try:
        pairs[number]
    except (ValueError, OSError) as error:
        return error
    return None


def _limit_error(error: Exception, count: int, limit: int) -> ValueError:
    return ValueError(
        f"{error} {pluralize(count, 'pair', 'pairs')} could not be read, but data.skip_limit={limit}. Raise it, or "
        "replace the files."
    )
