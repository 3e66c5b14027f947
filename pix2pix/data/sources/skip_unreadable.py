"""Skips pairs that cannot be read: warns once and takes the next pair, up to a limit."""

import logging
from collections.abc import Sequence
from typing import Literal

from pix2pix.core.plurals import pluralize
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
            raise ValueError(
                f"{error} {pluralize(len(self.skipped), 'pair', 'pairs')} could not be read, but "
                f"data.skip_limit={self.limit}. Raise it, or replace the files."
            ) from error
        if is_new:
            log.warning("%s Skipped (%d of at most %d).", error, len(self.skipped), self.limit)
