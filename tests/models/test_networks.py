"""Shapes, sizes, parameter counts, receptive fields, initial weights."""

import pytest
import torch
from torch import nn

from pix2pix.models import EncoderDecoder, PatchGAN, ResNet, UNet
from pix2pix.models.initialisation import initialise


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_unet_256_has_the_parameters_of_the_reference():
    assert parameters(UNet()) == 54_413_955


def test_patchgan_70_has_the_parameters_and_logits_of_the_reference():
    assert parameters(PatchGAN()) == 2_768_705
    assert PatchGAN()(torch.zeros(1, 6, 256, 256)).shape == (1, 1, 30, 30)


@pytest.mark.parametrize("field", [1, 16, 34, 70, 142, 286])
def test_a_logit_sees_exactly_the_receptive_field(field):
    torch.manual_seed(0)
    network = PatchGAN(2, receptive_field=field, base_channels=4, norm="none").double()
    image = torch.randn(1, 2, 640, 640, dtype=torch.float64, requires_grad=True)
    logits = network(image)
    centre = logits.shape[-1] // 2
    logits[0, 0, centre, centre].backward()
    assert image.grad is not None
    touched = image.grad[0].abs().sum(0) > 0
    rows, columns = touched.any(1).nonzero(), touched.any(0).nonzero()
    assert rows.max() - rows.min() + 1 == columns.max() - columns.min() + 1 == field


def test_patch_70_sees_seventy_pixels():
    test_a_logit_sees_exactly_the_receptive_field(70)


def test_an_unknown_receptive_field_lists_those_there_are():
    with pytest.raises(ValueError, match=r"receptive_field 50.*1, 16, 34, 70, 142, 286"):
        PatchGAN(receptive_field=50)


@pytest.mark.parametrize("field", [16, 34, 70, 142, 286])
def test_an_image_too_small_for_the_discriminator_is_refused(field):
    network = PatchGAN(receptive_field=field, base_channels=2, norm="none")
    assert network(torch.zeros(1, 6, network.smallest, network.smallest)).shape[-1] == 1
    with pytest.raises(ValueError, match=rf"receptive field {field} needs at least {network.smallest}"):
        network(torch.zeros(1, 6, network.smallest - 1, network.smallest))


@pytest.mark.parametrize("generator", [UNet, EncoderDecoder])
@pytest.mark.parametrize("depth", range(2, 9))
def test_any_depth_takes_its_own_size_down_to_one_pixel(generator, depth):
    network = generator(base_channels=2, depth=depth)
    bottleneck = []
    network.down[-1].register_forward_hook(lambda module, args, output: bottleneck.append(output.shape[2:]))
    assert network(torch.zeros(1, 3, 2**depth, 2**depth)).shape == (1, 3, 2**depth, 2**depth)
    assert bottleneck == [(1, 1)]


@pytest.mark.parametrize(("depth", "blocks"), [(8, [0, 1, 2]), (7, [0, 1, 2]), (6, [0, 1]), (5, [0]), (4, [])])
def test_dropout_is_on_the_first_decoder_blocks_of_full_width(depth, blocks):
    noisy = [i for i, up in enumerate(UNet(depth=depth).up) if any(isinstance(m, nn.Dropout) for m in up)]
    assert noisy == blocks


def test_without_skips_all_information_passes_the_bottleneck():
    for kind, reaches in ((UNet, True), (EncoderDecoder, False)):
        network = kind(base_channels=4, depth=3, dropout=0.0)
        network.down[-1].register_forward_hook(lambda module, args, output: torch.zeros_like(output))
        first, second = network(torch.randn(1, 3, 8, 8)), network(torch.randn(1, 3, 8, 8))
        assert (not torch.equal(first, second)) is reaches


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
@pytest.mark.parametrize("generator", [UNet(1, 4, base_channels=4, depth=3), ResNet(1, 4, base_channels=4, blocks=6)])
def test_channels_and_rectangles_are_free(generator, norm):
    network = (
        type(generator)(1, 4, base_channels=4, norm=norm)
        if isinstance(generator, ResNet)
        else UNet(1, 4, base_channels=4, depth=3, norm=norm)
    )
    output = network(torch.randn(2, 1, 16, 40))
    assert output.shape == (2, 4, 16, 40)
    assert output.abs().max() <= 1


@pytest.mark.parametrize(("network", "multiple"), [(UNet(base_channels=2, depth=5), 32), (ResNet(base_channels=2), 4)])
def test_a_size_that_does_not_divide_is_refused_with_the_remedy(network, multiple):
    assert network.multiple == multiple
    with pytest.raises(ValueError, match=rf"image 42x{multiple}: height and width must be divisible by {multiple}\."):
        network(torch.zeros(1, 3, 42, multiple))


def test_initial_weights_follow_the_paper():
    torch.manual_seed(0)
    network = PatchGAN(base_channels=64)
    initialise(network)
    weights = torch.cat([m.weight.flatten() for m in network.modules() if isinstance(m, nn.Conv2d)])
    scales = torch.cat([m.weight for m in network.modules() if isinstance(m, nn.BatchNorm2d)])
    assert weights.mean().item() == pytest.approx(0, abs=1e-4)
    assert weights.std().item() == pytest.approx(0.02, rel=0.01)
    assert scales.mean().item() == pytest.approx(1, abs=3e-3)
    assert scales.std().item() == pytest.approx(0.02, rel=0.1)
    biases = [m.bias for m in network.modules() if getattr(m, "bias", None) is not None]
    assert all((bias == 0).all() for bias in biases)
