"""Draws as functions of position."""

import numpy as np
import torch

from pix2pix.core.randomness import derive_seed, epoch_order, pair_generator, seed_all, seed_step


def test_seeds_are_the_same_on_every_machine_and_day():
    assert derive_seed(0, "step", 1, 2) == 3794881212667695106
    assert 0 <= derive_seed(7, "order") < 2**63


def test_no_two_positions_or_purposes_share_a_seed():
    seeds = {derive_seed(s, p, e, i) for s in range(4) for p in ("order", "step") for e in range(20) for i in range(20)}
    assert len(seeds) == 4 * 2 * 20 * 20


def test_the_order_of_an_epoch_is_a_permutation_of_its_own():
    first, second = epoch_order(1, 0, 100), epoch_order(1, 1, 100)
    assert sorted(first) == sorted(second) == list(range(100))
    assert not np.array_equal(first, second)
    assert np.array_equal(first, epoch_order(1, 0, 100))


def test_a_pairs_draw_is_its_own():
    assert pair_generator(0, 1, 2).random() == pair_generator(0, 1, 2).random()
    assert pair_generator(0, 1, 2).random() != pair_generator(0, 1, 3).random()


def test_a_steps_noise_depends_on_step_and_rank_alone():
    draws = []
    for step, rank in ((5, 0), (6, 0), (5, 1), (5, 0)):
        seed_step(0, step, rank)
        draws.append(torch.rand(1).item())
    assert draws[0] == draws[3]
    assert len(set(draws)) == 3


def test_a_gpu_in_use_is_seeded_like_the_processor(monkeypatch):
    seeds = []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeds.append)
    seed_all(7)
    drawn = torch.rand(3)
    torch.default_generator.manual_seed(7)
    assert torch.equal(drawn, torch.rand(3))
    assert seeds == [7]
