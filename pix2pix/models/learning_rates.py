"""Sets the learning rates of optimizers by their schedules."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, SupportsFloat

from torch import Tensor
from torch.optim import Optimizer

from pix2pix.models.schedules import Schedule, Unit

Time = Mapping[Unit, float]
"""A moment of a training or its end, in epochs and in steps."""


class LearningRates:
    """The learning rates of several optimizers, each by its schedule.

    A schedule that stays at the configured rate sets nothing, and callbacks are free to. Otherwise the rate depends on
    the schedule alone. A callback that sets another one is an error, because the next step would overwrite it.

    Args:
        schedules: for each network.
    """

    def __init__(self, schedules: Mapping[str, Schedule]) -> None:
        self.schedules = schedules
        self.optimizers: dict[str, Optimizer] = {}
        self.resumed: Sequence[float] | None = None
        self.configured: list[float] = []
        self.expected: list[float] = []

    def start(self, optimizers: Mapping[str, Optimizer]) -> None:
        """Remembers the rates of new optimizers, which are the configured ones."""
        # A resumed optimizer is built with the configured rates; its checkpoint brings the scheduled ones afterwards.
        self.optimizers = {name: each for name, each in optimizers.items() if self.schedules[name].sets_rates}
        every = [float(group["lr"]) for each in optimizers.values() for group in each.param_groups]
        is_scheduled = [name in self.optimizers for name, each in optimizers.items() for _ in each.param_groups]
        self.configured, self.expected = (
            [rate for rate, chosen in zip(rates, is_scheduled, strict=True) if chosen]
            for rates in (every, self.resumed or every)
        )
        self.resumed = None

    def check(self, end: Time) -> None:
        """Raises ValueError where a schedule does not fit a training until `end`."""
        for schedule in self.schedules.values():
            schedule.check(end[schedule.unit])

    def set_rates(self, now: Mapping[Unit, int], end: Time) -> None:
        """Sets the rates of a step. Raises ValueError when something else has changed them."""
        self._require_own_rates()
        # One factor for each group, of which most optimizers have one.
        factors = [schedule(now[schedule.unit], end[schedule.unit]) for _, schedule in self._groups()]
        rates = [rate * factor for rate, factor in zip(self.configured, factors, strict=True)]
        for (group, _), rate, before in zip(self._groups(), rates, self.expected, strict=True):
            if rate == before:
                continue
            if isinstance(group["lr"], Tensor):  # a CUDA graph or a compiled step reads this memory
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
        self.expected = rates

    def observe(self, metrics: Mapping[str, SupportsFloat]) -> None:
        """Shows the metrics of a validation to the schedules."""
        for schedule in self.schedules.values():
            schedule.observe(metrics)

    def state_dict(self) -> dict[str, dict[str, Any]]:
        """The states of the schedules that have one, by network."""
        return {name: state for name, schedule in self.schedules.items() if (state := schedule.state_dict())}

    def load_state_dict(self, states: Mapping[str, Mapping[str, Any]], rates: Sequence[float]) -> None:
        """Restores them before `start`; `rates` are those of all optimizers in the checkpoint."""
        self.resumed = rates
        for name, schedule in self.schedules.items():
            if name in states and states[name].keys() == schedule.state_dict().keys():
                schedule.load_state_dict(states[name])

    def _groups(self) -> Iterator[tuple[dict[str, Any], Schedule]]:
        for name, optimizer in self.optimizers.items():
            yield from ((group, self.schedules[name]) for group in optimizer.param_groups)

    def _require_own_rates(self) -> None:
        actual = [float(group["lr"]) for group, _ in self._groups()]
        pairs = zip(actual, self.expected, strict=False)
        if not all(math.isclose(*pair, rel_tol=1e-6) for pair in pairs):  # up to float32 rounding
            names = ", ".join(sorted({type(schedule).__name__ for _, schedule in self._groups()}))
            raise ValueError(
                f"a callback has set the learning rates to {actual}, but the schedule ({names}) sets them to "
                f"{self.expected}. Only one of them can. Set schedule=constant, or remove the callback."
            )
