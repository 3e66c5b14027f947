"""How many jobs of a sweep share a GPU, on cards that are numbers here."""

from pathlib import Path

import pytest

from hydra_plugins.pix2pix_processes import ProcessLauncher
from pix2pix.runs.device_slots import DeviceSlots
from pix2pix.runs.gpu_sharing import LEAST_STEPS, SharedSlots
from pix2pix.runs.metrics import read_last_step
from pix2pix.runs.sweep import Job

GIB = 2**30


class Machine:
    """GPUs on which `rates[n - 1]` is the steps a second of n jobs together, and jobs that never end by themselves."""

    def __init__(self, rates: list[float], gibibytes: float, cards: int = 1, at_once: int | None = None) -> None:
        self.rates, self.share, self.now = rates, gibibytes, 0.0
        self.steps: dict[str, float] = {}
        self.running: list[tuple[Job, list[int]]] = []
        self.slots = SharedSlots.for_this_machine(99, at_once, list(range(cards)), on_gpu=True)
        self.slots.memory, self.slots.step, self.slots.clock = self.memory, self.step, lambda: self.now
        self.slots.looked_at = 0.0

    def memory(self, card: int) -> tuple[int, int]:
        used = self.share * sum(slots == [card] for _, slots in self.running)
        return int((80 - used) * GIB), 80 * GIB

    def step(self, job: Job) -> int | None:
        """As metrics.csv has it: every fiftieth step."""
        return int(self.steps[job.name] // 50 * 50) or None

    def start(self) -> None:
        while len(self.running) < self.slots.at_once:
            job = Job(sweep=Path("sweep"), name=f"job{len(self.steps)}", overrides=[], gpus=1)
            if (slots := self.slots.take(job)) is None:
                return
            self.running.append((job, slots))
            self.steps[job.name] = 0.0

    def pass_seconds(self, seconds: int) -> None:
        for _ in range(seconds):
            self.start()
            self.now += 1.0
            for job, slots in self.running:
                sharing = sum(other == slots for _, other in self.running)
                self.steps[job.name] += self.rates[min(sharing, len(self.rates)) - 1] / sharing
            self.slots.adapt(self.running)

    def end_one(self) -> None:
        _, slots = self.running.pop(0)
        self.slots.give_back(slots)

    def count(self, card: int = 0) -> int:
        return sum(slots == [card] for _, slots in self.running)


@pytest.mark.parametrize(
    ("rates", "gibibytes", "jobs"),
    [
        ([300, 580, 800, 820, 820], 2, 4),
        ([300, 580, 800, 1000, 1200], 20, 3),
        ([300, 580, 800, 1000, 1200], 60, 1),
        ([300, 305], 2, 2),
    ],
    ids=["no further one pays", "no further one fits", "one alone fits", "one job fills the card"],
)
def test_a_gpu_gets_another_job_while_that_fits_and_pays(rates, gibibytes, jobs):
    machine = Machine(rates, gibibytes)
    machine.pass_seconds(600)
    assert machine.count() == jobs


def test_where_the_last_job_made_all_slower_its_slot_is_not_given_again():
    machine = Machine([300, 200], 2)
    machine.pass_seconds(100)
    assert machine.count() == 2
    machine.end_one()
    machine.pass_seconds(100)
    assert machine.count() == 1
    machine.end_one()
    machine.pass_seconds(1)
    assert machine.count() == 1


def test_each_gpu_is_measured_by_itself_and_the_number_of_jobs_is_kept_to():
    machine = Machine([300, 600, 900, 1200], 2, cards=2)
    machine.pass_seconds(30)
    assert (machine.count(0), machine.count(1)) == (2, 2)
    limited = Machine([300, 600, 900, 1200], 2, cards=2, at_once=3)
    limited.pass_seconds(600)
    assert len(limited.running) == 3


def test_a_measurement_takes_enough_steps_of_every_job_and_begins_anew_with_another_job():
    machine = Machine([10, 20], 2)
    machine.pass_seconds(LEAST_STEPS // 10)
    assert machine.count() == 1, "fifty steps are logged when the measurement begins"
    machine.end_one()
    machine.pass_seconds(LEAST_STEPS // 10)
    assert machine.count() == 1
    machine.pass_seconds(10)
    assert machine.count() == 2


def test_on_the_cpu_nothing_is_shared_and_numbers_are_as_always():
    slots = ProcessLauncher(jobs_per_gpu="auto").slots([Job(sweep=Path("sweep"), name="a", overrides=[], gpus=0)] * 9)
    assert isinstance(slots, SharedSlots)
    plain = DeviceSlots.for_this_machine(9, on_gpu=False)
    assert (slots.free, slots.at_once, slots.threads) == (plain.free, plain.at_once, plain.threads)
    slots.adapt([])


@pytest.mark.parametrize("value", [0, "two", 1.5])
def test_other_numbers_of_jobs_are_refused(value):
    with pytest.raises(ValueError, match=r"hydra\.launcher\.jobs_per_gpu=.*: must be a whole number .*, or auto"):
        ProcessLauncher(jobs_per_gpu=value)


def test_the_last_step_is_read_from_the_end_of_a_long_file(tmp_path):
    file = tmp_path / "metrics.csv"
    assert read_last_step(file) is None
    file.write_text("step,loss/g_l1\n")
    assert read_last_step(file) is None
    file.write_text(
        "step,loss/g_l1\n" + "".join(f"{step},0.123456789\n" for step in range(50, 100_000, 50)) + "100000,0."
    )
    assert read_last_step(file) == 99_950
    file.write_text("garbled\n1,2\n")
    assert read_last_step(file) is None
