"""Learning-rate schedules: functions of the time, so that a training resumes exactly with nothing saved.

The defaults are those of the authors' code, whose schedules count epochs.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, SupportsFloat

from pydantic import Field

TRIED = 100  # moments at which a schedule is tried before the training
Unit = Literal["epoch", "step"]
Length = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]


@dataclass(kw_only=True)
class Schedule(ABC):
    """The learning rate as a share of the configured one: derive a dataclass from it for a schedule of your own.

    Args:
        unit: what time is counted in. The rate changes at the start of every epoch or of every step.
        warmup: epochs or steps in which the rate first rises in a line to the configured one. The schedule follows.
    """

    needs_end: ClassVar[bool] = False
    """Whether it is unknown until the length of the training is known."""

    unit: Unit = "epoch"
    warmup: Annotated[int, Field(ge=0)] = 0

    @abstractmethod
    def factor(self, now: int, end: float) -> float:
        """The share `now` epochs or steps after the warm-up, of `end` in all; `end` is infinite where none is set."""

    def __call__(self, now: int, end: float) -> float:
        """The share `now` epochs or steps after the start of a training of `end`."""
        if now < self.warmup:
            return (now + 1) / (self.warmup + 1)
        share: Any = self.factor(now - self.warmup, end - self.warmup)
        if not isinstance(share, SupportsFloat) or not 0 <= float(share) < math.inf:
            raise ValueError(
                f"schedule={type(self).__name__}: factor({now - self.warmup}, {end - self.warmup}) returned {share}. "
                "It must return a share of the configured learning rate, a number from 0 on."
            )
        return float(share)

    @property
    def sets_rates(self) -> bool:
        """Whether the schedule ever changes the rate. If not, callbacks may set it."""
        return True

    def check(self, end: float) -> None:
        """Raises ValueError where the schedule does not fit a training of `end` epochs or steps.

        Tries the schedule at the start, at the end and at times between.
        """
        if self.needs_end and math.isinf(end):
            raise ValueError(
                f"schedule={type(self).__name__}: it follows the length of the training, which has no end. "
                "Set trainer.max_epochs or trainer.max_steps, or schedule=constant."
            )
        if self.warmup > end:
            raise ValueError(
                f"schedule.warmup={self.warmup} is more than the training has, {end} {self.unit}s. Lower it."
            )
        last = TRIED if math.isinf(end) else max(0, math.ceil(end) - 1)
        for now in {last * number // TRIED for number in range(TRIED + 1)}:
            self(now, end)

    def observe(self, metrics: Mapping[str, SupportsFloat]) -> None:  # noqa: B027 - most look at the time alone
        """Is called after each validation, with its metrics by their names, as `val/ssim`."""

    def state_dict(self) -> dict[str, Any]:
        """What checkpoints keep: nothing, unless the schedule depends on metrics."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:  # noqa: B027
        """Restores it."""


@dataclass(kw_only=True)
class ConstantRate(Schedule):
    """The configured rate, after a warm-up if there is one. The paper's."""

    unit: Unit = "step"

    def factor(self, now: int, end: float) -> float:
        """1."""
        return 1.0

    @property
    def sets_rates(self) -> bool:
        """Only in a warm-up."""
        return self.warmup > 0


@dataclass(kw_only=True)
class LinearDecay(Schedule):
    """The configured rate, then a line that would reach 0 one epoch or step after the last, as in the authors' code.

    Args:
        decay: over how many of the last epochs or steps the rate falls; None for half of them, as 100 of 200.
    """

    needs_end = True
    decay: Length | None = None

    def factor(self, now: int, end: float) -> float:
        """1 until the last `decay` epochs or steps; the last one still has 1 / (decay + 1) of the rate."""
        decay = self.decay or math.ceil(end / 2)
        return max(0.0, 1 - max(0, now + 1 - (end - decay)) / (decay + 1))

    def check(self, end: float) -> None:
        """Raises ValueError where there is no end, or where the rate would fall for longer than the training lasts."""
        super().check(end)
        if self.decay and self.decay + self.warmup > end:
            after = f" after a warm-up of {self.warmup}" if self.warmup else ""
            raise ValueError(
                f"schedule.decay={self.decay}{after} is more than the training has, {end} {self.unit}s. Lower it."
            )


@dataclass(kw_only=True)
class CosineDecay(Schedule):
    """Half a cosine, from the configured rate to `floor` at the end of the training (arXiv 1608.03983, equation 5).

    Args:
        floor: the share at the end.
    """

    needs_end = True
    unit: Unit = "step"
    floor: Share = 0.0

    def factor(self, now: int, end: float) -> float:
        """floor + (1 - floor) (1 + cos(pi now / end)) / 2."""
        return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * min(1.0, now / max(1, end)))) / 2


@dataclass(kw_only=True)
class StepDecay(Schedule):
    """Multiplies the rate by `gamma` again and again.

    Args:
        every: after how many epochs or steps.
        gamma: the factor.
    """

    every: Length = 50
    gamma: Share = 0.1

    def factor(self, now: int, end: float) -> float:
        """gamma ^ floor(now / every)."""
        return self.gamma ** (now // self.every)


@dataclass(kw_only=True)
class PlateauDecay(Schedule):
    """Multiplies the rate by `gamma` whenever a validation metric has stopped improving.

    It depends on the metrics so far. Checkpoints keep its state, so that a resumed training has the same rates.

    Args:
        monitor: the metric, such as `val/ssim`.
        mode: whether the metric is better when larger (`max`) or smaller (`min`). A configuration may leave it out
            for a metric that is built in or in the setting `metrics`.
        patience: validations in a row that may bring no better value; the next one of these lowers the rate.
        gamma: the factor.
    """

    monitor: str = "val/ssim"
    mode: Literal["min", "max"] | None = None
    patience: Annotated[int, Field(ge=0)] = 5
    gamma: Share = 0.2
    best: float | None = field(default=None, init=False)
    waited: int = field(default=0, init=False)
    falls: int = field(default=0, init=False)

    def factor(self, now: int, end: float) -> float:
        """gamma ^ (number of falls so far)."""
        return self.gamma**self.falls

    def check(self, end: float) -> None:
        """Raises ValueError if the direction of the metric is not known."""
        super().check(end)
        if self.mode is None:
            raise ValueError(f"schedule.monitor={self.monitor}: set schedule.mode=max or min, which values are better.")

    def observe(self, metrics: Mapping[str, SupportsFloat]) -> None:
        """Counts validations without a better value. Raises ValueError where the metric is not among them."""
        if self.monitor not in metrics:
            raise ValueError(
                f"schedule.monitor={self.monitor}: no such metric is logged. Choose from {', '.join(sorted(metrics))}."
            )
        value, sign = float(metrics[self.monitor]), -1 if self.mode == "max" else 1
        # Not a number is never better, not even as the first value.
        if not math.isnan(value) and (self.best is None or sign * value < sign * self.best):
            self.best, self.waited = value, 0
            return
        self.waited += 1
        if self.waited > self.patience:
            self.falls, self.waited = self.falls + 1, 0

    def state_dict(self) -> dict[str, Any]:
        """The best value, the validations since then, and how often the rate has fallen."""
        return {"best": self.best, "waited": self.waited, "falls": self.falls}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores them."""
        self.best, self.waited, self.falls = state["best"], state["waited"], state["falls"]
