"""The networks of pix2pixHD (arXiv 1711.11585, section 3.2), and convolutions that draw no checkerboards."""

import itertools

import pytest
import torch
from torch import nn

from pix2pix.models import LocalEnhancer, MultiscalePatchGAN, ResNet, UNet, initialise
from pix2pix.models.input_sizes import halve, padded_depth
from pix2pix.models.upsampling import ResizeConvolution


def test_halving_takes_means_of_three_by_three_pixels_and_of_fewer_at_the_border():
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    first = (0 + 1 + 4 + 5) / 4
    last = (5 + 6 + 7 + 9 + 10 + 11 + 13 + 14 + 15) / 9
    beside = (1 + 2 + 3 + 5 + 6 + 7) / 6
    below = (4 + 5 + 8 + 9 + 12 + 13) / 6
    torch.testing.assert_close(halve(image)[0, 0], torch.tensor([[first, beside], [below, last]]))
    assert halve(torch.zeros(1, 1, 5, 7)).shape == (1, 1, 3, 4)


def test_each_scale_judges_the_picture_halved_once_more():
    torch.manual_seed(0)
    network = MultiscalePatchGAN(scales=3, receptive_field=16, base_channels=4)
    pair = torch.randn(2, 6, 64, 48)
    logits = network(pair)
    assert [tuple(part.shape) for part in logits] == [(2, 1, 30, 22), (2, 1, 14, 10), (2, 1, 6, 4)]
    small = pair
    for scale, part in zip(network.scales, logits, strict=True):
        assert torch.equal(part, scale(small))
        small = halve(small)


def test_features_end_in_the_logits():
    torch.manual_seed(0)
    network = MultiscalePatchGAN(scales=2, base_channels=4)
    pair = torch.randn(1, 6, 64, 64)
    features = network.features(pair)
    assert [[part.shape[1] for part in scale] for scale in features] == [[4, 8, 16, 32, 1]] * 2
    assert all(torch.equal(scale[-1], logits) for scale, logits in zip(features, network(pair), strict=True))
    assert torch.equal(network.scales[0].features(pair)[0][-1], network.scales[0](pair))


def test_a_picture_too_small_for_the_last_scale_is_refused_with_the_remedy():
    network = MultiscalePatchGAN(scales=3, base_channels=2)
    assert network(torch.zeros(1, 6, 96, 96))[-1].shape == (1, 1, 1, 1)
    with pytest.raises(ValueError, match=r"last of 3 scales sees 23x24 of it and needs at least 24x24. Lower disc"):
        network(torch.zeros(1, 6, 92, 96))


def test_the_global_generator_has_the_layers_of_pix2pixhd():
    network = ResNet(downsamplings=4, norm="instance")
    widths = [64, 128, 256, 512, 1024]
    ends = 2 * 3 * 64 * 49 + 64 + 3  # c7s1-64 and c7s1-3, with their biases
    halvings = sum(2 * a * b * 9 + a + b for a, b in itertools.pairwise(widths))  # down and up
    blocks = 9 * 2 * (1024 * 1024 * 9 + 1024)
    assert sum(parameter.numel() for parameter in network.parameters()) == ends + halvings + blocks


def test_the_enhancer_adds_the_features_of_the_global_generator_at_half_the_size():
    torch.manual_seed(0)
    network = LocalEnhancer(base_channels=4, blocks=1, downsamplings=2)
    picture = torch.randn(1, 3, 32, 64)
    assert network(picture).shape == picture.shape
    coarse = network.layers(halve(picture))
    assert coarse.shape == (1, 4, 16, 32)
    expected = network.enhancer_output(network.enhancer_input(picture) + coarse)
    assert torch.equal(network(picture), expected)


def test_the_enhancer_takes_the_weights_of_a_global_generator_by_their_names():
    coarse, network = ResNet(base_channels=4, downsamplings=4, norm="instance"), LocalEnhancer(base_channels=4)
    state = {name: weight for name, weight in coarse.state_dict().items() if name in network.state_dict()}
    assert len(coarse.state_dict()) - len(state) == 2, "all but the output layer"
    assert not network.load_state_dict(state, strict=False).unexpected_keys


def test_a_frozen_global_generator_is_not_trained():
    network = LocalEnhancer(base_channels=4, blocks=1, freeze_global=True)
    network(torch.randn(1, 3, 64, 64)).sum().backward()
    trained = {name for name, parameter in network.named_parameters() if parameter.grad is not None}
    assert trained == {name for name, _ in network.named_parameters() if name.startswith("enhancer")}


def test_sizes_below_the_networks_are_refused():
    with pytest.raises(ValueError, match="at least 64x64"):
        LocalEnhancer(base_channels=2, blocks=1)(torch.zeros(1, 3, 32, 64))
    with pytest.raises(ValueError, match="base_channels 3: must be even"):
        LocalEnhancer(base_channels=3)


def test_a_resize_convolution_repeats_pixels_and_convolves():
    layer = ResizeConvolution(1, 1, bias=False, padding_mode="reflect")
    image = torch.tensor([[1.0, 2.0], [3.0, 4.0]])[None, None]
    with torch.no_grad():
        layer.weight.zero_()[0, 0, 1, 1] = 1
    assert layer(image)[0, 0].tolist() == [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]


@pytest.mark.parametrize(("upsample", "has_checkerboard"), [("transposed", True), ("resize", False)])
@pytest.mark.parametrize("build", [UNet, ResNet])
def test_resizing_draws_no_checkerboards_on_an_even_surface(build, upsample, has_checkerboard):
    """Weights that a network begins with draw them where neighbouring pixels have different weights."""
    torch.manual_seed(0)
    options = {"depth": 2, "dropout": 0.0} if build is UNet else {"blocks": 1}
    network = build(base_channels=4, norm="none", upsample=upsample, **options)
    initialise(network, scheme="kaiming")
    inside = network(torch.full((1, 3, 64, 64), 0.5))[0, :, 20:44, 20:44]
    assert bool(inside.std(dim=(1, 2)).max() > 1e-3) is has_checkerboard


def test_a_network_that_pads_takes_any_size_as_the_middle_of_the_next_multiple():
    torch.manual_seed(0)
    plain, padding = (UNet(base_channels=2, depth=4, pad_to_multiple=pads).eval() for pads in (False, True))
    padding.load_state_dict(plain.state_dict())
    picture = torch.randn(1, 3, 37, 50)
    reflected = nn.functional.pad(picture, (0, 14, 0, 11), mode="reflect")
    assert torch.equal(padding(picture), plain(reflected)[..., :37, :50])
    assert torch.equal(padding(reflected), plain(reflected))


@pytest.mark.parametrize(
    ("size", "depth"), [((250, 250), 8), ((300, 300), 6), ((400, 600), 6), ((1000, 1000), 8), ((5, 5), 2)]
)
def test_a_network_that_pads_is_as_deep_as_a_quarter_of_padding_allows(size, depth):
    assert padded_depth(*size) == depth
