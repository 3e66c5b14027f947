"""Batches of neighbours, and three stages that overlap without piling up."""

import threading

import pytest

from pix2pix.core.prefetch import AHEAD, batch_by_size, map_in_threads, pictures_per_batch, read_run_write

SIZES = {"a": (256, 256), "b": (256, 256), "c": None, "d": None, "e": (4096, 4096), "f": (4096, 4096), "g": (256, 256)}


def test_neighbours_of_one_size_make_a_batch_and_what_cannot_be_read_goes_alone():
    assert list(batch_by_size("abcdefg", SIZES.get)) == [["a", "b"], ["c"], ["d"], ["e"], ["f"], ["g"]]
    assert list(batch_by_size("efg", SIZES.get, most=2)) == [["e", "f"], ["g"]]


def test_the_larger_the_pictures_the_fewer_make_a_batch():
    assert [pictures_per_batch(side, side) for side in (64, 256, 512, 513, 4096)] == [64, 4, 1, 1, 1]


def test_a_batch_looks_no_further_than_the_item_behind_it():
    taken = []
    items = (taken.append(number) or number for number in range(100))
    assert next(batch_by_size(items, lambda item: (256, 256))) == list(range(4))
    assert len(taken) <= 5


def test_items_come_out_in_order_whatever_order_they_are_read_and_written_in():
    first_is_late = threading.Event()

    def read(item):
        if item == 0:
            assert first_is_late.wait(10)
        if item == 3:
            first_is_late.set()
        return item

    done = read_run_write(
        [[0, 1], [2, 3], [4]], read, lambda batch: [2 * item for item in batch], lambda item: item + 1
    )
    assert list(done) == [1, 3, 5, 7, 9]


def test_whatever_their_number_few_items_are_under_way():
    under_way, most = set(), []
    written_one = threading.Event()

    def read(item):
        under_way.add(item)
        most.append(len(under_way))
        return item

    def write(item):
        written_one.wait(0.001)  # slower than the other stages
        under_way.discard(item)

    given = [[number, number + 1] for number in range(0, 200, 2)]
    assert len(list(read_run_write(given, read, lambda batch: batch, write))) == 200
    assert max(most) <= 2 * (2 * AHEAD + 1)


@pytest.mark.parametrize("stage", ["read", "run", "write"])
def test_an_error_in_any_stage_ends_it(stage):
    def fail(item):
        raise OSError(stage)

    stages = {"read": str, "run": list, "write": str} | {stage: fail}
    with pytest.raises(OSError, match=stage):
        list(read_run_write([[number] for number in range(20)], *stages.values()))


def test_mapped_results_come_in_order_and_only_a_few_items_are_taken_ahead():
    taken = []
    items = (taken.append(number) or number for number in range(100))
    results = map_in_threads(lambda item: item + 1, items, threads=2, ahead=3)
    assert [next(results), next(results)] == [1, 2]
    assert len(taken) == 2 + 3
    assert list(results) == list(range(3, 101))


def test_an_error_in_a_thread_is_raised_and_the_items_that_wait_are_not_begun():
    begun = []

    def work(item: int) -> None:
        begun.append(item)
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        list(map_in_threads(work, range(100), threads=1, ahead=10))
    assert len(begun) < 5
