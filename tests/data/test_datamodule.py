"""The order of an epoch, as a function of seed and position alone."""

import torch

from pix2pix.data.datamodule import Draw, EpochBatches, TrainingPairs
from pix2pix.data.pairs import Pair
from pix2pix.data.transforms import JitterAndMirror


def batches(epoch: int = 0, first: int = 0, *, length: int = 10, batch_size: int = 3, **options) -> list[list[Draw]]:
    return list(EpochBatches(length, batch_size, 1, lambda: (epoch, first), **options))


def test_an_epoch_visits_every_pair_once():
    assert sorted(draw.pair for batch in batches() for draw in batch) == list(range(10))
    assert [len(batch) for batch in batches()] == [3, 3, 3, 1]


def test_epochs_differ_and_come_again_the_same():
    assert batches(0) == batches(0)
    assert batches(0) != batches(1)


def test_an_epoch_taken_up_in_the_middle_goes_on_as_if_unbroken():
    assert batches(4, first=2) == batches(4)[2:]


def test_processes_share_an_epoch_without_dropping_a_pair():
    shares = [batches(processes=4, rank=rank) for rank in range(4)]
    drawn = [draw.pair for share in shares for batch in share for draw in batch]
    assert set(drawn) == set(range(10))
    assert len(drawn) == 12  # filled up, so that all processes take the same number of steps
    assert len({len(share) for share in shares}) == 1


def test_a_pair_looks_different_in_another_epoch_and_the_same_in_the_same():
    image = torch.randint(0, 256, (3, 40, 40), dtype=torch.uint8)
    transform = JitterAndMirror(height=16, width=16, load_height=40, load_width=40)
    pairs = TrainingPairs([Pair(image, image, "a")], transform, seed=3)
    assert torch.equal(pairs[Draw(0, 0)].source, pairs[Draw(0, 0)].source)
    assert not torch.equal(pairs[Draw(0, 0)].source, pairs[Draw(1, 0)].source)
