"""A schedule of the learning rates."""

import math
from dataclasses import dataclass
from typing import Annotated

from pix2pix.models.schedules import Schedule
from pydantic import Field


@dataclass(kw_only=True)
class InverseSquareRoot(Schedule):
    """The rate falls with the square root of the time.

    Args:
        scale: after how many epochs or steps the rate is 0.7 of the configured one.
    """

    scale: Annotated[int, Field(ge=1)] = 1000

    def factor(self, now: int, end: float) -> float:
        """1 / sqrt(1 + now / scale), a share of the configured rate."""
        return 1 / math.sqrt(1 + now / self.scale)
