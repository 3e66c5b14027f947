"""Test-time choices, and that they leave no trace."""

import copy

import pytest
import torch

from pix2pix.inference import InferenceMode
from pix2pix.networks import UNet, initialise


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
