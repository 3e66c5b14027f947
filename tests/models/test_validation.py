"""A network that cannot be built, or cannot take its input, says which value breaks which rule, and what to do."""

import pytest
import torch

from pix2pix.models import EncoderDecoder, PatchGAN, ResNet, UNet

NETWORKS = (UNet, EncoderDecoder, ResNet, PatchGAN)


@pytest.mark.parametrize("name", ["in_channels", "base_channels"])
@pytest.mark.parametrize("kind", NETWORKS)
def test_a_network_has_channels(kind, name):
    with pytest.raises(ValueError, match=rf"{name} 0: must be at least 1\."):
        kind(**{name: 0})


@pytest.mark.parametrize("blocks", [0, -1])
def test_a_resnet_has_blocks(blocks):
    with pytest.raises(ValueError, match=rf"blocks {blocks}: must be at least 1\."):
        ResNet(blocks=blocks)


def test_a_unet_halves_at_least_twice():
    with pytest.raises(ValueError, match="depth 1: a U-Net halves its input at least twice"):
        UNet(depth=1)


@pytest.mark.parametrize("dropout", [-0.1, 1.5, float("nan")])
@pytest.mark.parametrize("kind", [UNet, ResNet])
def test_dropout_is_a_probability_even_where_no_block_uses_it(kind, dropout):
    options = {"depth": 4} if kind is UNet else {"blocks": 1}
    with pytest.raises(ValueError, match=rf"dropout {dropout}: must be a probability between 0 and 1"):
        kind(base_channels=2, dropout=dropout, **options)


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_misspelt_norm_is_refused_not_taken_for_none(kind):
    with pytest.raises(ValueError, match=r"norm 'layer'.*batch, instance, none"):
        kind(base_channels=2, norm="layer")


def test_a_resnet_refuses_an_image_with_nothing_to_reflect():
    network = ResNet(base_channels=2, blocks=1)
    assert network(torch.zeros(1, 3, 8, 8)).shape == (1, 3, 8, 8)
    with pytest.raises(ValueError, match="image 8x4: a ResNet needs at least 8x8"):
        network(torch.zeros(1, 3, 8, 4))


def test_the_full_image_discriminator_refuses_thirty_two_pixels():
    with pytest.raises(ValueError, match=r"image 32x32: .* 286 needs at least 96x96\. Lower discriminator"):
        PatchGAN(receptive_field=286, base_channels=2)(torch.zeros(1, 6, 32, 32))
