"""Packed convolutions compute what the plain ones do, at every size, and only where that is safe."""

import copy

import pytest
import torch
from torch import nn

from pix2pix import load_translator
from pix2pix.inference.generator import load_generator
from pix2pix.inference.mode import InferenceMode
from pix2pix.inference.packed_convolutions import PackedConvolution, pack_convolutions
from pix2pix.models import EncoderDecoder, ResNet, UNet

NETWORKS = {
    "unet": lambda: UNet(base_channels=8, depth=5),
    "unet that resizes": lambda: UNet(base_channels=8, depth=5, upsample="resize"),
    "unet with instance norm": lambda: UNet(base_channels=8, depth=5, norm="instance"),
    "encoder-decoder": lambda: EncoderDecoder(base_channels=8, depth=5),
    "resnet": lambda: ResNet(base_channels=8, blocks=2),
}


class Tied(UNet):
    """A network of a user, which may use the weights of its convolutions in its own way."""


def count_packed(network: nn.Module) -> int:
    return sum(isinstance(module, PackedConvolution) for module in network.modules())


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("normalization", ["batch", "running"])
def test_a_packed_network_makes_the_same_pictures_at_every_size(name, normalization):
    torch.manual_seed(0)
    plain, mode = NETWORKS[name]().eval(), InferenceMode(normalization=normalization)
    packed = copy.deepcopy(plain)
    for _ in range(2):  # the second time has nothing left to do
        pack_convolutions(packed, (2, 3, 64, 64))
    assert count_packed(packed) >= 5
    for shape in ((2, 3, 64, 64), (1, 3, 64, 64), (3, 3, 96, 64), (2, 3, 64, 64)):
        source = torch.rand(shape) * 2 - 1
        names = [str(number) for number in range(len(source))]
        before, after = (mode.generate(network, source, names) for network in (plain, packed))
        assert torch.allclose(before, after, atol=1e-4)


def test_networks_of_others_other_precisions_and_computed_weights_stay_plain():
    spectral = UNet(base_channels=4, depth=2)
    nn.utils.spectral_norm(spectral.get_submodule("down.0.0"))
    pack_convolutions(spectral, (1, 3, 8, 8))
    assert isinstance(spectral.get_submodule("down.0.0"), nn.Conv2d)
    for network in (Tied(base_channels=4, depth=2), UNet(base_channels=4, depth=2).half()):
        pack_convolutions(network, (1, 3, 8, 8))
        assert count_packed(network) == 0


def test_a_translator_packs_its_own_generator_and_not_what_is_exported(tiny_run):
    assert count_packed(load_translator(tiny_run.path).trained.generator) > 0
    assert count_packed(load_generator(tiny_run.path).generator) == 0
