"""The order of an epoch, as a function of seed and position alone."""

import pytest
import torch

from pix2pix.core.randomness import pair_generator
from pix2pix.data.datamodule import TrainingPairs
from pix2pix.data.pair import Pair
from pix2pix.data.samplers import Draw, EpochBatches
from pix2pix.data.training_loader import collate_list, collate_stack
from pix2pix.data.transforms import JitterAndMirror, View


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
    first, again, later = (
        transform.augment_batch(*collate_list([pairs[Draw(epoch, 0)]])).source for epoch in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, later)


@pytest.mark.parametrize("collate", [collate_list, collate_stack])
def test_a_batch_is_augmented_as_its_pairs_are_one_by_one(collate):
    images = [torch.randint(0, 256, (3, size, size), dtype=torch.uint8) for size in (40, 31, 52)]
    pairs = [Pair(image, 255 - image, str(number)) for number, image in enumerate(images)]
    transform = JitterAndMirror(height=16, width=24, load_height=20, load_width=30)
    training = TrainingPairs(pairs, transform, seed=3)
    batch = collate([training[Draw(5, number)] for number in range(3)])
    assert batch.pairs.source[0].dtype == torch.uint8
    together = transform.augment_batch(*batch)
    alone = [transform.transform_for_training(pair, pair_generator(3, 5, number)) for number, pair in enumerate(pairs)]
    assert torch.equal(together.source, torch.stack([pair.source for pair in alone]))
    assert torch.equal(together.target, torch.stack([pair.target for pair in alone]))
    assert together.name == ["0", "1", "2"]


def test_pairs_of_several_sizes_make_a_batch():
    images = [torch.randint(0, 256, (3, size, size), dtype=torch.uint8) for size in (20, 31)]
    views = [View(0, 0, False), View(3, 4, True)]
    batch = collate_stack([(Pair(image, image, "a"), view) for image, view in zip(images, views, strict=True)])
    transform = JitterAndMirror(height=16, width=16, load_height=20, load_width=20)
    assert transform.augment_batch(*batch).source.shape == (2, 3, 16, 16)
