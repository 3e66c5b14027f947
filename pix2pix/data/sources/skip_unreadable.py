"""Skips pairs that cannot be read: warns once and takes the next pair, up to a limit."""

import logging
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from pix2pix.data.pair import Pair

log = logging.getLogger(__name__)

OnError = Literal["fail", "skip"]
Limit = Annotated[int, Field(ge=0)]


class SkipUnreadable(Sequence[Pair]):
    """Gives the next readable pair in the place of an unreadable one: the same one every time, so runs stay exact.

    Args:
        pairs: the pairs as they are in their files.
        limit: how many may be passed over, in each process that loads; more are an error.
    """

    def __init__(self, pairs: Sequence[Pair], limit: int) -> None:
        self.pairs, self.limit = pairs, limit
        self.skipped: set[int] = set()

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Pair:  # pyright: ignore[reportIncompatibleMethodOverride]
        for place in range(index, index + len(self.pairs)):
            try:
                return self.pairs[place % len(self.pairs)]
            except (ValueError, OSError) as error:
                self._skip(place % len(self.pairs), error)
        raise ValueError("data.on_error=skip: not one of the pairs can be read.")

    def _skip(self, place: int, error: Exception) -> None:
        if place in self.skipped:
            return
        self.skipped.add(place)
        if len(self.skipped) > self.limit:
            raise ValueError(
                f"{error} {len(self.skipped)} pairs could not be read, data.skip_limit={self.limit} are allowed."
            ) from error
        log.warning("%s Passed over (%d of at most %d).", error, len(self.skipped), self.limit)
