"""The networks compute what the reference implementation computes."""

import pytest
import torch

from tests.parity import Fixture, fixture, needs_fixtures  # noqa: F401

pytestmark = needs_fixtures


def close(ours, theirs, tolerance=2e-5):
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=tolerance)


def test_the_generator_agrees_with_batch_statistics(fixture: Fixture):  # noqa: F811
    close(fixture.generator().train()(fixture.source), fixture.recorded["forward.fake_train_mode"])


def test_the_generator_agrees_with_running_statistics(fixture: Fixture):  # noqa: F811
    close(fixture.generator().eval()(fixture.source), fixture.recorded["forward.fake_eval_mode"])


def test_the_discriminator_agrees(fixture: Fixture):  # noqa: F811
    seen = torch.cat([fixture.source, fixture.target], dim=1)
    close(fixture.discriminator().train()(seen), fixture.recorded["forward.logits_real_train_mode"])


def test_weights_of_another_network_are_refused(fixture: Fixture):  # noqa: F811
    with pytest.raises(ValueError, match="the network"):
        fixture.state("init.D", fixture.generator())
