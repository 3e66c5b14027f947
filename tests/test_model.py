"""The training step: the reference's numbers, the paper's alternation."""

import pytest
import torch

from pix2pix.losses import CrossEntropy, LeastSquares, Objective
from pix2pix.model import pix2pix_step
from tests.parity import Fixture, fixture, needs_fixtures  # noqa: F401


def updater(network):
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999))

    def update(loss):
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return update


@needs_fixtures
def test_three_steps_reproduce_the_losses_and_weights_of_the_reference(fixture: Fixture):  # noqa: F811
    generator, discriminator = fixture.generator().train(), fixture.discriminator().train()
    torch.set_num_threads(1)  # as recorded; most weights are then equal bit for bit
    loss = {"vanilla": CrossEntropy, "lsgan": LeastSquares}[fixture.options["gan_mode"]]()
    objective = Objective(loss, l1_weight=100.0)
    updates = updater(generator), updater(discriminator)
    for theirs in fixture.losses:
        ours = pix2pix_step(fixture.source, fixture.target, generator, discriminator, objective, *updates)
        assert ours["g_gan"].item() == pytest.approx(theirs["G_GAN"], rel=2e-4)
        assert 100 * ours["g_l1"].item() == pytest.approx(theirs["G_L1"], rel=2e-4)
        assert ours["d_real"].item() == pytest.approx(theirs["D_real"], rel=2e-4)
        assert ours["d_fake"].item() == pytest.approx(theirs["D_fake"], rel=2e-3, abs=1e-6)
    for key, network in (("final.G", generator), ("final.D", discriminator)):
        state = network.state_dict()
        for name, value in fixture.state(key, network).items():
            torch.testing.assert_close(
                state[name], value, rtol=1e-3, atol=1e-4, msg=lambda text, n=name: f"{n}: {text}"
            )
