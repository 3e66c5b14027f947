"""Schedules are functions of the time, with the values that their equations give."""

import math
from dataclasses import dataclass

import pytest

from pix2pix.models import ConstantRate, CosineDecay, LinearDecay, PlateauDecay, StepDecay
from pix2pix.models.schedules import Schedule

ENDING = [LinearDecay(), LinearDecay(decay=3), CosineDecay(floor=0.1), StepDecay(every=2), ConstantRate(warmup=2)]


def values(schedule: Schedule, end: int) -> list[float]:
    return [schedule(now, end) for now in range(end)]


def test_the_rate_is_constant_then_falls_in_a_line():
    assert values(LinearDecay(decay=3), 6) == [1, 1, 1, 0.75, 0.5, 0.25]
    assert values(LinearDecay(decay=1), 2) == [1, 0.5]


def test_the_authors_200_epochs_fall_over_the_last_100():
    assert values(LinearDecay(), 200) == [1 - max(0, epoch + 1 - 100) / 101 for epoch in range(200)]


def test_a_cosine_falls_from_1_to_its_floor():
    assert values(CosineDecay(), 4) == pytest.approx([1, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2])
    assert CosineDecay(floor=0.2)(4, 8) == pytest.approx(0.6)
    assert CosineDecay(floor=0.2)(8, 8) == CosineDecay(floor=0.2)(80, 8) == pytest.approx(0.2)


def test_steps_fall_by_gamma():
    assert values(StepDecay(every=2, gamma=0.5), 5) == [1, 1, 0.5, 0.5, 0.25]


def test_a_warmup_rises_in_a_line_and_takes_its_time_from_the_schedule():
    assert values(ConstantRate(warmup=3), 5) == [0.25, 0.5, 0.75, 1, 1]
    assert values(LinearDecay(warmup=1, decay=2), 5) == [0.5, 1, 1, pytest.approx(2 / 3), pytest.approx(1 / 3)]
    assert values(CosineDecay(warmup=1), 3) == [0.5, 1, 0.5]


@pytest.mark.parametrize("schedule", ENDING, ids=repr)
@pytest.mark.parametrize("end", [1, 3, 5, 400])
def test_no_factor_is_below_0_or_above_1_at_any_time(schedule, end):
    assert all(0 <= schedule(now, end) <= 1 for now in range(2 * end))


def test_a_value_that_is_no_number_is_never_the_best():
    schedule = PlateauDecay(monitor="val/l1", mode="min")
    for value in (math.nan, 0.5, math.nan):
        schedule.observe({"val/l1": value})
    assert (schedule.best, schedule.waited) == (0.5, 1)


def test_a_plateau_counts_validations_without_a_better_value():
    schedule = PlateauDecay(monitor="val/l1", mode="min", patience=1, gamma=0.5)
    factors = []
    for value in (0.5, 0.4, 0.4, math.nan, 0.3, 0.3, 0.3, 0.3, 0.3):
        schedule.observe({"val/l1": value})
        factors.append(schedule(0, math.inf))
    assert factors == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125]


def test_only_a_constant_rate_leaves_the_rates_to_callbacks():
    assert not ConstantRate().sets_rates
    assert all(schedule.sets_rates for schedule in ENDING)


@dataclass(kw_only=True)
class InverseSquareRoot(Schedule):
    """One of a user's own."""

    scale: int = 1

    def factor(self, now: int, end: float) -> float:
        return 1 / math.sqrt(1 + now / self.scale)


def test_a_schedule_of_ones_own_has_a_warmup():
    assert values(InverseSquareRoot(scale=3, warmup=1), 11)[::10] == [0.5, 0.5]
