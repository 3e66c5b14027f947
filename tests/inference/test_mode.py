"""Test-time choices, and that they leave no trace."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from pix2pix.inference.mode import InferenceMode
from pix2pix.models import UNet, initialise


@pytest.fixture
def generator():
    torch.manual_seed(0)
    network = UNet(base_channels=4, depth=5)
    initialise(network)
    with torch.no_grad():
        for _ in range(3):  # running statistics that are not those of the picture below
            network(torch.randn(4, 3, 32, 32) * 3)
    return network


SOURCE = torch.linspace(-1, 1, 3 * 32 * 32).reshape(1, 3, 32, 32)


def test_dropout_is_noise_that_the_seed_and_the_name_choose(generator):
    mode, other = InferenceMode(seed=0), InferenceMode(seed=1)
    assert torch.equal(mode.generate(generator, SOURCE, "a"), mode.generate(generator, SOURCE, "a"))
    assert not torch.equal(mode.generate(generator, SOURCE, "a"), mode.generate(generator, SOURCE, "b"))
    assert not torch.equal(mode.generate(generator, SOURCE, "a"), other.generate(generator, SOURCE, "a"))


def test_accents_give_the_same_noise_however_they_are_written():
    mode = InferenceMode()
    assert mode.seed_of("fa\u00e7ade") == mode.seed_of("fac\u0327ade") != mode.seed_of("facade")


def test_with_dropout_off_the_seed_does_not_matter(generator):
    outputs = [InferenceMode(dropout="off", seed=s).generate(generator, SOURCE, str(s)) for s in range(2)]
    assert torch.equal(*outputs)


def test_running_statistics_are_those_of_training(generator):
    running = InferenceMode(normalization="running", dropout="off").generate(generator, SOURCE, "")
    batch = InferenceMode(normalization="batch", dropout="off").generate(generator, SOURCE, "")
    with torch.no_grad():
        assert torch.equal(running, copy.deepcopy(generator).eval()(SOURCE))
    assert not torch.allclose(running, batch)


@pytest.mark.parametrize("normalization", ["batch", "running"])
@pytest.mark.parametrize("training", [True, False])
def test_generating_leaves_weights_statistics_modes_and_random_state_as_they_were(generator, normalization, training):
    generator.train(training)
    before, state = copy.deepcopy(generator.state_dict()), torch.get_rng_state()
    output = InferenceMode(normalization=normalization).generate(generator, SOURCE, "a")
    assert not output.requires_grad
    assert all(torch.equal(before[key], value) for key, value in generator.state_dict().items())
    assert all(module.training is training for module in generator.modules())
    assert torch.equal(torch.get_rng_state(), state)


class Plain(nn.Dropout2d):
    """Derived from torch's, with its ways."""


class Own(nn.Dropout):
    """With a way of its own, and a parameter."""

    def __init__(self, p: float) -> None:
        super().__init__(p)
        self.share = nn.Parameter(torch.tensor(0.5))

    def forward(self, x):
        return self.share * super().forward(x) + (1 - self.share) * x


class Always(nn.Dropout):
    """Drops whatever mode it is in."""

    def forward(self, x):
        return functional.dropout(x, self.p, True)


TORCHS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)
KINDS = (*TORCHS, Plain, Own, Always)


def noisy(kind: type[nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    last = nn.Conv2d(16, 3, 3, padding=1)
    return nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), kind(0.5), last).requires_grad_(False)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_dropout_is_seeded_noise_when_on_and_nothing_when_off(kind):
    network, other = noisy(kind), SOURCE.flip(2)
    state = torch.get_rng_state()
    on = InferenceMode(dropout="on")
    first, again, second = (on.generate(network, SOURCE, name) for name in ("a", "a", "b"))
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    batch = on.generate(network, torch.cat([other, SOURCE]), ["b", "a"])  # a picture does not depend on its batch
    torch.testing.assert_close(batch[1:], first)
    off = [InferenceMode(dropout="off", seed=seed).generate(network, SOURCE, "a") for seed in (0, 1)]
    assert torch.equal(*off)
    torch.testing.assert_close(off[0], network[2](network[0](SOURCE)))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(module.training for module in network.modules())


@pytest.mark.parametrize("kind", TORCHS)
def test_a_dropout_drops_as_torchs_own_does(kind):
    """As large a share, of whole channels where it does, with the same values in what is kept and what is dropped."""
    places = {nn.Dropout1d: (16,), nn.Dropout3d: (2, 2, 4)}.get(kind, (4, 4))
    x = torch.randn(4, 256, *places)
    dropout = nn.Sequential(kind(0.3))
    theirs, ours = dropout(x), InferenceMode(dropout="on").generate(dropout, x, ["a", "b", "c", "d"])
    both = {}
    for name, y in (("theirs", theirs), ("ours", ours)):
        least = y.flatten().mode().values  # what dropped values become
        slope = (y - y.mean()).mul(x).mean() / x.square().mean()
        dropped = ((y - least).abs() < 1e-5).flatten(2)
        both[name] = [least, dropped.float().mean(), (dropped.all(dim=2) == dropped.any(dim=2)).all(), slope]
    for a, b in zip(both["theirs"], both["ours"], strict=True):
        torch.testing.assert_close(a.float(), b.float(), atol=0.12, rtol=0.05)
