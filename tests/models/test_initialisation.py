"""Schemes of initial weights against their formulas."""

import pytest
import torch
from torch import nn

from pix2pix.models import PatchGAN, initialise


def draw_weights(**options) -> torch.Tensor:
    """The weights of a convolution of 32 channels to 64, 3x3: fan-in 288, fan-out 576."""
    layer = nn.Conv2d(32, 64, 3)
    initialise(layer, torch.Generator().manual_seed(0), **options)
    assert not layer.bias.any()
    return layer.weight.detach()


def test_the_default_is_the_normal_distribution_of_the_paper():
    torch.testing.assert_close(
        draw_weights(), torch.empty(64, 32, 3, 3).normal_(0, 0.02, generator=torch.manual_seed(0))
    )
    assert torch.equal(draw_weights(), draw_weights(scheme="normal", gain=0.02))


@pytest.mark.parametrize(
    ("scheme", "std"), [("xavier", (2 / (288 + 576)) ** 0.5), ("kaiming", (2 / 288) ** 0.5), ("normal", 0.02)]
)
def test_a_scheme_has_its_own_width_and_the_gain_multiplies_it(scheme, std):
    assert draw_weights(scheme=scheme).std().item() == pytest.approx(std, rel=0.03)
    factor = 0.02 if scheme == "normal" else 1
    torch.testing.assert_close(draw_weights(scheme=scheme, gain=3 * factor), 3 * draw_weights(scheme=scheme))


def test_orthogonal_weights_are_orthogonal():
    rows = draw_weights(scheme="orthogonal", gain=2).flatten(1)
    torch.testing.assert_close(rows @ rows.T, 4 * torch.eye(64), rtol=0, atol=1e-4)


@pytest.mark.parametrize("field", [1, 16])
def test_spectral_norm_divides_the_weights_of_the_paper_by_their_largest_singular_value(field):
    torch.manual_seed(0)
    network = PatchGAN(receptive_field=field, base_channels=16, spectral_norm=True)
    initialise(network)
    for layer in (layer for layer in network.modules() if isinstance(layer, nn.Conv2d)):
        original = layer.parametrizations.weight.original
        assert original.std().item() == pytest.approx(0.02, rel=0.25)
        # The power method approaches the largest singular value from below.
        assert torch.linalg.svdvals(layer.weight.flatten(1)).max().item() == pytest.approx(1, abs=0.05)


def test_a_discriminator_with_spectral_norm_saves_and_loads():
    networks = [PatchGAN(receptive_field=16, base_channels=4, spectral_norm=True).eval() for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    image = torch.randn(1, 6, 16, 16)
    assert torch.equal(networks[0](image), networks[1](image))
